"""The house's one path from what people want to leases: wishes, decisions, what rigs are told.

A change of a wish is stored, decided on (deciding.py) and said to the rigs (leasing.py) at once. A
heat request is kept only if its rig takes it. What was decided is renewed on the rigs' heartbeats
and said again to a rig that began a new run. Unloading says nothing to anybody, so nothing jumps
and nothing is released that nobody released.
"""

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.storage import Store

from ..const import DOMAIN
from ..control import people as wanted_by
from ..control.leases import (
    Action,
    RigHeater,
    RigLive,
    Saying,
    lease,
    release,
    sayings,
    wanted_lease,
)
from ..control.people import People
from ..control.requests import HeaterKey, HeatRequest
from ..control.seen import HouseSeen, HvacMode
from ..control.tilt import Tilt
from ..control.wanted import Do, HeaterWanted, HouseWanted, LimitCode
from ..control.wishes import Preset, RoomWish, changed, first_wish, settled
from ..errors import RigError, RigOffline, error, mistake
from ..wire.messages import Response
from ..wire.values import Favor
from .deciding import Deciding
from .leasing import Leasing
from .rig_seen import rig_live

if TYPE_CHECKING:
    from ..coordinator import RigCoordinator
    from ..house import House

_LOGGER = logging.getLogger(__name__)

DEFAULT_HOLD_H: Final = 4.0


class Heating:
    """What people want of the house's heaters and rooms, and the leases that follow from it."""

    def __init__(self, hass: HomeAssistant, house: House) -> None:
        """Prepare; `async_load` brings back what was wanted before."""
        self.house = house
        self.state = People()
        self.hold_h = DEFAULT_HOLD_H
        self.deciding = Deciding(hass, house, self.async_decide)
        self.leasing = Leasing(hass, house, self._resumed)
        #: What was said to heaters that somebody asked for before the first decision.
        self._early: dict[HeaterKey, HeaterWanted] = {}
        #: Changes each time a person lets go of the heater, also while a rig's answer is awaited.
        self._let_go: Counter[HeaterKey] = Counter()
        self._store = Store[dict[str, Any]](hass, 1, store_key())
        self._keeping = asyncio.Lock()
        self._closed = False

    @property
    def seen(self) -> HouseSeen | None:
        """What the last decision was made on."""
        return self.deciding.seen

    @property
    def wanted(self) -> HouseWanted | None:
        """The last decision; None before the first."""
        return self.deciding.wanted

    @property
    def refusals(self) -> Mapping[tuple[str, str | None], str]:
        """Why a rig refused what should hold, by target."""
        return self.leasing.refusals

    @property
    def favor(self) -> Favor:
        """What is favored now: what a person chose, or what the tilt's policy says."""
        return self.deciding.tilting.favor

    @property
    def tilt(self) -> Tilt:
        """What decides on the favor."""
        return self.state.tilt

    async def async_load(self) -> None:
        """Bring back what was wanted of these rigs and rooms before Home Assistant restarted."""
        if (stored := await self._store.async_load()) is not None:
            self.hold_h = stored["hold_h"]
            self.state = wanted_by.restored(stored, self.house.rigs, self.house.plan.rooms)
        await self.deciding.async_load()

    async def async_close(self) -> None:
        """Be the house's no more: what people want is stored for the next, nothing more is done.

        Whoever pressed something a moment ago is waited for until that is stored.
        """
        async with self._keeping:
            self._closed = True
            await self._store.async_save(self._to_store())
        await self.deciding.async_save()

    def request(self, key: HeaterKey) -> HeatRequest | None:
        """Return what is asked of the heater by itself now."""
        return self.state.requests.get(key)

    def wish(self, room_id: str) -> RoomWish:
        """Return what people want of the room now."""
        room = self.house.plan.rooms[room_id]
        wish = self.state.rooms.get(room_id) or first_wish(room.presets_c)
        return settled(wish, room.presets_c, room.boost_s, time.time())

    def unfit(self) -> Mapping[HeaterKey, tuple[str, str]] | None:
        """Return the heaters that no lease is given to, because of what follows a power cut.

        With their own and the circuit's names; None before the first decision.
        """
        if self.wanted is None or self.seen is None:
            return None
        names = {heater.key: heater.name for heater in self.seen.heaters}
        return {
            key: (names.get(key, key.heater), self._circuit(want))
            for key, want in self.wanted.heaters.items()
            if want.limit.code is LimitCode.UNATTENDED
        }

    def may_hash_for_money(self, key: HeaterKey) -> bool:
        """Return whether the heater may hash when nobody needs its heat, by its owner's word."""
        return key in self.state.hash_for_money

    async def async_set_room(
        self,
        room_id: str,
        *,
        mode: HvacMode | None = None,
        preset: Preset | None = None,
        target_c: float | None = None,
    ) -> None:
        """Change what is wanted of a room; a temperature ends its preset."""
        room = self.house.plan.rooms[room_id]
        wish = changed(
            self.wish(room_id),
            room.presets_c,
            room.boost_s,
            time.time(),
            mode=mode,
            preset=preset,
            target_c=target_c,
        )
        await self._async_change(self.state.with_room(room_id, wish))

    async def async_set_hash_for_money(self, key: HeaterKey, *, allowed: bool) -> None:
        """Allow or forbid a heater to hash when nobody needs its heat."""
        keys = self.state.hash_for_money
        await self._async_change(
            replace(self.state, hash_for_money=keys | {key} if allowed else keys - {key})
        )

    async def async_request_heat(
        self,
        key: HeaterKey,
        power_w: float,
        hold_s: float | None = None,
        *,
        high_limit_c: float | None = None,
        thermometer: str | None = None,
    ) -> Response:
        """Ask the heater for watts, for `hold_s` seconds, and return the rig's acceptance.

        It gets them inside its own and its circuits' limits; above `high_limit_c` of `thermometer`,
        or without a word from it, it gets nothing. Raises RigError when the rig is offline, silent
        or refuses, and ServiceValidationError for what cannot be; then nothing has changed.
        """
        if self.state.stopped:
            raise mistake("stopped")
        if key in self.state.hands_off:
            raise mistake("hands_off")
        if (dispute := self.house.disputes.get(key)) is not None:
            raise mistake("disputed", reason=dispute)
        rig, heater = self._live_heater(key)
        for figure in (power_w, 0.0 if high_limit_c is None else high_limit_c):
            if not math.isfinite(figure):
                raise mistake("no_number", value=str(figure))
        if power_w > heater.max_w:
            raise mistake("too_much", power_w=f"{power_w:.0f}", max_w=f"{heater.max_w:.0f}")
        until = time.time() + (self.hold_h * 3600 if hold_s is None else hold_s)
        request = HeatRequest(power_w, until, high_limit_c, thermometer)
        trial = self.state.with_request(key, request)
        want = self.deciding.trial(trial, self._wishes()).heaters[key]
        if want.limit.code is LimitCode.UNATTENDED:
            raise mistake("unattended", circuit=self._circuit(want))
        if want.limit.code is LimitCode.TRIPPED:
            raise mistake("tripped", circuit=self._circuit(want))
        # A rig that takes no requests says why in its own words.
        saying = lease(rig, heater, power_w, self.favor)
        if want.do is Do.LEASE:
            saying = wanted_lease(rig, heater, want)
        let_go = self._let_go[key]
        response = await self.leasing.async_say(saying)
        if self._let_go[key] != let_go:
            return response  # the release that came meanwhile is the last word
        self._early[key] = want
        await self._async_change(self.state.with_request(key, request))
        return response

    async def async_release_heat(self, key: HeaterKey) -> Response | None:
        """Forget what is asked of the heater by itself; its rooms or its owner's safe state follow.

        The request is dropped even if the rig cannot be told: its lease then ends by itself.
        Raises RigError when the rig is offline, silent or refuses.
        """
        self._let_go[key] += 1
        await self._async_keep(self.state.with_request(key, None))
        rig, heater = self._live_heater(key)
        want = self.deciding.trial(self.state, self._wishes()).heaters[key]
        saying: Saying | None = None
        if want.do is Do.LEASE:
            saying = wanted_lease(rig, heater, want)
        elif heater.lease or self.leasing.was_told((key.rig, key.heater)):
            saying = release(rig, heater)
        self._early[key] = want
        response = await self.leasing.async_say(saying) if saying else None
        self.async_decide()
        return response

    async def async_set_hands_off(self, key: HeaterKey, *, hands_off: bool) -> None:
        """Leave a heater alone from now on, after letting go of it; or take care of it again."""
        if not hands_off:
            await self._async_change(replace(self.state, hands_off=self.state.hands_off - {key}))
            return
        self._let_go[key] += 1
        people = self.state.with_request(key, None)
        await self._async_keep(replace(people, hands_off=people.hands_off | {key}))
        try:
            rig, heater = self._live_heater(key)
            if heater.lease or self.leasing.was_told((key.rig, key.heater)):
                await self.leasing.async_say(release(rig, heater))
        except RigError as err:
            _LOGGER.debug("The lease of %s ends by itself: %s", key, err)
        self.async_decide()

    async def async_set_favor(self, favor: Favor) -> None:
        """Say which workload gets a heater's watts first; a person's word ends the tilt's."""
        await self._async_change(replace(self.state, favor=favor, tilt=Tilt.MANUAL))

    async def async_set_tilt(self, policy: Tilt) -> None:
        """Say what decides on the favor; by hand, what is favored now stays."""
        await self._async_change(replace(self.state, favor=self.favor, tilt=policy))

    async def async_set_hold(self, hold_h: float) -> None:
        """Say for how many hours a heat request holds that does not say it itself."""
        if not math.isfinite(hold_h):
            raise mistake("no_number", value=str(hold_h))
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
        say = self.leasing.async_say
        asked = [
            say(Saying(action, rig.rig_id, rig.data.live.boot_id)) for rig in rigs if rig.data.live
        ]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        self.async_decide()
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
    def async_hear(self, rig: RigCoordinator) -> bool:
        """Take a rig's heartbeat or its silence: decide if that matters, and renew its leases.

        Return whether it was decided.
        """
        if self.deciding.async_hear(rig.data):
            self.async_decide()
            return True
        self._follow(rig)
        return False

    @callback
    def async_decide(self) -> None:
        """Decide now, and have it done."""
        if self._closed:
            return
        people = self.state.without_ended(time.time())
        wishes = self._wishes()
        # What ended by itself, as boost does, is kept as it is now.
        kept = {room: wish for room, wish in wishes.items() if room in people.rooms}
        if people is not self.state or kept != people.rooms:
            self._replace(people.with_rooms(kept))
            self._store.async_delay_save(self._to_store)
        self.deciding.async_decide(self.state, wishes)
        self._follow(*self.house.rigs.values())
        self.house.async_decided()

    def _follow(self, *rigs: RigCoordinator) -> None:
        controller, disputed = self.house.controller, self.house.disputes
        live = [one for rig in rigs if (one := rig_live(rig.data, controller, disputed))]
        wanted = self.wanted.heaters if self.wanted else self._early
        holds = sayings(self.state, live, wanted, decided=self.wanted is not None)
        self.leasing.async_follow(holds, [rig.rig_id for rig in rigs])

    def _circuit(self, want: HeaterWanted) -> str:
        """Return what people call the circuit that binds."""
        named = str(want.limit.values.get("circuit", ""))
        circuit = self.house.plan.circuits.get(named)
        return circuit.name if circuit else named

    def _wishes(self) -> dict[str, RoomWish]:
        return {room: self.wish(room) for room in self.house.plan.rooms}

    def _resumed(self, rig_id: str) -> None:
        if self._closed:
            return
        self._replace(replace(self.state, unreleased=self.state.unreleased - {rig_id}))
        self._store.async_delay_save(self._to_store)

    async def _async_change(self, people: People) -> None:
        await self._async_keep(people)
        self.async_decide()

    async def _async_keep(self, people: People) -> None:
        async with self._keeping:
            if self._closed:
                raise error("house_reloads")
            self._replace(people)
            await self._store.async_save(self._to_store())

    def _replace(self, people: People) -> None:
        self.state = people
        self.house.async_heating_changed()

    def _live_heater(self, key: HeaterKey) -> tuple[RigLive, RigHeater]:
        rig: RigCoordinator = self.house.rigs[key.rig]
        live = rig_live(rig.data, self.house.controller)
        heater = next((one for one in live.heaters if one.id == key.heater), None) if live else None
        if live is None or heater is None:
            raise RigOffline(rig.name)
        return live, heater

    def _to_store(self) -> dict[str, Any]:
        return {"hold_h": self.hold_h, **wanted_by.stored(self.state)}


def store_key() -> str:
    """Return the name of the store."""
    return f"{DOMAIN}.heating"
