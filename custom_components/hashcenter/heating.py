"""Makes leases of what people ask for: the effects around control/requests.py.

A person's request is sent at once and kept only if the rig takes it. What is kept is renewed on the
rig's heartbeats, said again to a rig that began a new run, and survives a restart of Home
Assistant: it is stored on every change, and unloading says nothing to anybody. So nothing jumps,
and nothing is released that nobody released.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Collection
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.storage import Store

from .const import DOMAIN
from .control.requests import (
    Action,
    HeaterKey,
    HeaterSeen,
    HeatRequest,
    RigSeen,
    Said,
    State,
    Want,
    decide,
    due,
    lease,
)
from .errors import RigError, RigOffline, mistake
from .rig import Rig
from .wire.messages import (
    AnyRequest,
    LeaseRequest,
    ReleaseRequest,
    Response,
    StopAllRequest,
)
from .wire.values import Favor

if TYPE_CHECKING:
    from .coordinator import RigCoordinator
    from .house import House
    from .requester import Stamp

_LOGGER = logging.getLogger(__name__)

DEFAULT_HOLD_H: Final = 4.0


class Heating:
    """What people want of the house's heaters, and the leases that follow from it."""

    def __init__(self, hass: HomeAssistant, house: House) -> None:
        """Prepare; `async_load` brings back what was wanted before."""
        self.house = house
        self.state = State()
        self.hold_h = DEFAULT_HOLD_H
        #: Why a rig refused what should hold, by target; shown among the house's problems.
        self.refusals: dict[tuple[str, str | None], str] = {}
        self._store = Store[dict[str, Any]](hass, 1, store_key())
        self._said: dict[tuple[str, str | None], Said] = {}
        self._locks: defaultdict[tuple[str, str | None], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def async_load(self) -> None:
        """Bring back what was wanted of these rigs before Home Assistant restarted."""
        if (stored := await self._store.async_load()) is not None:
            self.hold_h = stored["hold_h"]
            self.state = _restored(stored, self.house.rigs)

    def request(self, key: HeaterKey) -> HeatRequest | None:
        """Return what is asked of the heater now."""
        return self.state.requests.get(key)

    async def async_request_heat(
        self, key: HeaterKey, power_w: float, hold_s: float | None = None
    ) -> Response:
        """Ask the heater for watts, for `hold_s` seconds, and return the rig's acceptance.

        Raises RigError when the rig is offline, silent or refuses; then nothing has changed.
        """
        if self.state.stopped:
            raise mistake("stopped")
        if key in self.state.hands_off:
            raise mistake("hands_off")
        rig, heater = self._live_heater(key)
        if power_w > heater.max_w:
            raise mistake("too_much", power_w=f"{power_w:.0f}", max_w=f"{heater.max_w:.0f}")
        response = await self._async_ask(lease(rig, heater, power_w, self.state.favor))
        until = time.time() + (self.hold_h * 3600 if hold_s is None else hold_s)
        await self._async_keep(self.state.with_request(key, HeatRequest(power_w, until)))
        return response

    async def async_release_heat(self, key: HeaterKey) -> Response | None:
        """Forget what is asked of the heater; the owner's safe state follows on the rig.

        The request is dropped even if the rig cannot be told: its lease then ends by itself.
        Raises RigError when the rig is offline, silent or refuses.
        """
        await self._async_keep(self.state.with_request(key, None))
        rig, heater = self._live_heater(key)
        if not heater.leased and (key.rig, key.heater) not in self._said:
            return None
        return await self._async_ask(Want(Action.RELEASE, rig.id, rig.boot_id, heater.id))

    async def async_set_hands_off(self, key: HeaterKey, *, hands_off: bool) -> None:
        """Leave a heater alone from now on, after letting go of it; or take care of it again."""
        if hands_off and self.request(key):
            try:
                await self.async_release_heat(key)
            except RigError as err:
                _LOGGER.debug("The lease of %s ends by itself: %s", key, err)
        kept = self.state.hands_off | {key} if hands_off else self.state.hands_off - {key}
        await self._async_keep(replace(self.state, hands_off=kept))

    async def async_set_favor(self, favor: Favor) -> None:
        """Say which workload gets a heater's watts first; leases are said again with it."""
        await self._async_keep(replace(self.state, favor=favor))
        self.async_wake()

    async def async_set_hold(self, hold_h: float) -> None:
        """Say for how many hours a heat request holds that does not say it itself."""
        self.hold_h = hold_h
        await self._async_keep(self.state)

    async def async_stop_all(self, *, engaged: bool) -> None:
        """Stop everything, or release it; kept until a person says otherwise, above every rule.

        Raises HomeAssistantError naming the rigs that did not confirm. Those that are offline hear
        it as soon as they are back.
        """
        rigs = self.house.rigs.values()
        unreleased = frozenset() if engaged else frozenset(rig.rig_id for rig in rigs)
        await self._async_keep(replace(self.state, stopped=engaged, unreleased=unreleased))
        action = Action.STOP if engaged else Action.RESUME
        wants = [Want(action, rig.rig_id, rig.data.live.boot_id) for rig in rigs if rig.data.live]
        answers = await asyncio.gather(*map(self._async_ask, wants), return_exceptions=True)
        # An offline rig may well be drawing watts; released, it hears it when it is back.
        problems: list[HomeAssistantError] = [
            RigOffline(rig.name) for rig in rigs if engaged and not rig.data.online
        ]
        for answer in answers:
            if isinstance(answer, HomeAssistantError):
                problems.append(answer)
            elif isinstance(answer, BaseException):
                raise answer
        if problems:
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key="stop_unconfirmed" if engaged else "resume_unconfirmed",
                translation_placeholders={"problems": "; ".join(map(str, problems))},
            )

    @callback
    def async_wake(self) -> None:
        """Close the gap between what should hold and what was said; called on every heartbeat."""
        now = time.time()
        state, wanted = decide(self.state, self._seen(), now)
        if state is not self.state:
            self._replace(state)
            self._store.async_delay_save(self._to_store)
        targets = {want.target for want in wanted}
        self.refusals = {of: why for of, why in self.refusals.items() if of in targets}
        for want in wanted:
            busy = self._locks[want.target].locked()
            if not busy and due(want, self._said.get(want.target), now):
                self.house.config_entry.async_create_background_task(
                    self.house.hass, self._async_say(want), f"{DOMAIN} {want.action} {want.target}"
                )

    async def _async_say(self, want: Want) -> None:
        try:
            await self._async_ask(want)
        except HomeAssistantError as err:
            text = str(err)
            if self.refusals.get(want.target) != text:
                _LOGGER.warning("What %s should do is not done: %s", want.rig, text)
            self.refusals[want.target] = text

    async def _async_ask(self, want: Want) -> Response:
        """Say `want` to its rig and remember the outcome."""
        async with self._locks[want.target]:
            rig = self.house.rigs[want.rig]
            self._said[want.target] = Said(want, time.time(), accepted=False)
            response = await rig.async_send(lambda stamp: _request(want, stamp))
            self._said[want.target] = Said(want, time.time(), accepted=True)
        self.refusals.pop(want.target, None)
        if want.action is Action.RESUME:
            await self._async_keep(
                replace(self.state, unreleased=self.state.unreleased - {want.rig})
            )
        return response

    async def _async_keep(self, state: State) -> None:
        self._replace(state)
        await self._store.async_save(self._to_store())

    def _replace(self, state: State) -> None:
        self.state = state
        self.house.async_heating_changed()

    def _seen(self) -> list[RigSeen]:
        rigs = self.house.rigs.values()
        return [seen for rig in rigs if (seen := _seen(rig.data, self.house.controller))]

    def _live_heater(self, key: HeaterKey) -> tuple[RigSeen, HeaterSeen]:
        rig: RigCoordinator = self.house.rigs[key.rig]
        seen = _seen(rig.data, self.house.controller)
        heater = next((one for one in seen.heaters if one.id == key.heater), None) if seen else None
        if seen is None or heater is None:
            raise RigOffline(rig.name)
        return seen, heater

    def _to_store(self) -> dict[str, Any]:
        state = self.state
        return {
            "hold_h": self.hold_h,
            "favor": state.favor,
            "stopped": state.stopped,
            "unreleased": sorted(state.unreleased),
            "hands_off": sorted(state.hands_off),
            "requests": [
                {"key": key, "power_w": held.power_w, "until": held.until}
                for key, held in state.requests.items()
            ],
        }


def store_key() -> str:
    """Return the name of the store."""
    return f"{DOMAIN}.heating"


def _restored(stored: dict[str, Any], rigs: Collection[str]) -> State:
    requests = {
        HeaterKey(*held["key"]): HeatRequest(held["power_w"], held["until"])
        for held in stored["requests"]
    }
    hands_off = (HeaterKey(*key) for key in stored["hands_off"])
    return State(
        requests=MappingProxyType({key: one for key, one in requests.items() if key.rig in rigs}),
        hands_off=frozenset(key for key in hands_off if key.rig in rigs),
        stopped=stored["stopped"],
        unreleased=frozenset(stored["unreleased"]).intersection(rigs),
        favor=Favor(stored["favor"]),
    )


def _seen(rig: Rig, controller: str) -> RigSeen | None:
    """Return what the pure rules need of a rig, None unless it is live."""
    live, inventory = rig.live, rig.inventory
    if live is None:
        return None
    if inventory is None:
        return RigSeen(rig.rig_id, live.boot_id, False, live.stopped, 0.0)
    leased = {
        heater.id
        for heater in live.heaters
        if heater.lease and heater.lease.controller == controller
    }
    return RigSeen(
        id=rig.rig_id,
        boot_id=live.boot_id,
        controllable=rig.controllable,
        stopped=live.stopped,
        max_ttl_s=inventory.max_ttl_s,
        heaters=tuple(
            HeaterSeen(heater.id, heater.max_w, heater.id in leased) for heater in inventory.heaters
        ),
    )


def _request(want: Want, stamp: Stamp) -> AnyRequest:
    """Return the wire's request for `want`."""
    if want.heater is None:
        return StopAllRequest(**stamp, engaged=want.action is Action.STOP)
    if want.action is Action.RELEASE:
        return ReleaseRequest(**stamp, heater=want.heater)
    return LeaseRequest(
        **stamp, heater=want.heater, power_w=want.power_w, ttl_s=want.ttl_s, favor=want.favor
    )
