"""Homes: rooms and circuits around rigs that do what they are told, and time that passes.

A HomeRig draws what its leases say. `set_up_home` makes a house of rigs, rooms and circuits whose
entities are states that a test sets.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigSubentry, ConfigSubentryDataWithId
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.hashcenter.const import DOMAIN
from custom_components.hashcenter.control.requests import HeaterKey
from custom_components.hashcenter.control.seen import HvacMode
from custom_components.hashcenter.heat.plan import heater_id
from custom_components.hashcenter.house import House
from custom_components.hashcenter.wire.messages import (
    AnyRequest,
    HeaterState,
    LeaseInForce,
    LeaseRequest,
    ReleaseRequest,
    StopAllRequest,
)
from custom_components.hashcenter.wire.values import Activity, Effect
from tests.component.rigs import (
    ASIC,
    ATTIC,
    CELLAR,
    CPU,
    GPU,
    ScriptedRig,
    asic,
    cpu,
    device_state,
    fire_burst,
    gpu,
    heater,
    house_of,
    rig_subentry,
)

LIVING = "living"
BATH = "bath"
THERMOMETER = "sensor.living_temperature"
BATH_THERMOMETER = "sensor.bath_temperature"
OUTDOOR = "sensor.outdoor_temperature"
MACHINE = HeaterKey(ATTIC, "machine")
MINER = HeaterKey(CELLAR, "s19")

S19 = heater(
    (ASIC,),
    id="s19",
    name="S19",
    idle_w=20.0,
    min_w=1200.0,
    max_w=3000.0,
    unattended_w=20.0,
    boot_peak_w=3000.0,
    step_w=50.0,
    settle_s=300.0,
    start_s=240.0,
    starts_per_day=8,
    can_answer=False,
)


@dataclass
class HomeRig(ScriptedRig):
    """A rig whose heaters draw what their leases say; `stuck` ones ignore them."""

    stuck: set[str] = field(default_factory=set)

    def become_miner(self) -> None:
        """Be a box with one ASIC instead of a machine with a GPU."""
        self.inventory = self.inventory.model_copy(
            update={"heaters": (S19,), "devices": (asic(),), "runners": (), "endpoint": None}
        )
        state = HeaterState(id="s19", power_w=20.0, effect=Effect.REACHED, available_w=3000.0)
        self.state = self.state.model_copy(update={"heaters": (state,), "inference": None})
        self.devices = {ASIC: device_state(self.boot_id, activity=Activity.PAUSED)}

    def rest(self) -> None:
        """Be idle, with nothing asked."""
        for one in self.inventory.heaters:
            self._draw(one.id, 0.0)

    def change_heater(self, heater_id: str, **changes: Any) -> None:
        """Have one heater say something else from the next heartbeat on."""
        heaters = tuple(
            one.model_copy(update=changes) if one.id == heater_id else one
            for one in self.state.heaters
        )
        self.state = self.state.model_copy(update={"heaters": heaters})

    def _obey(self, request: AnyRequest) -> None:
        match request:
            case LeaseRequest():
                lease = LeaseInForce(
                    controller=request.controller,
                    power_w=request.power_w,
                    cap_w=request.cap_w,
                    favor=request.favor,
                    remaining_s=request.ttl_s,
                )
                self.change_heater(request.heater, lease=lease)
                self._draw(request.heater, request.power_w)
            case ReleaseRequest():
                self.change_heater(request.heater, lease=None)
                self._draw(request.heater, 0.0)
            case StopAllRequest():
                self.state = self.state.model_copy(update={"stopped": request.engaged})

    def _draw(self, name: str, asked_w: float) -> None:
        if name in self.stuck:
            return
        described = next(one for one in self.inventory.heaters if one.id == name)
        self.change_heater(name, power_w=max(asked_w, described.idle_w), effect=Effect.REACHED)
        doing = Activity.HASHING if asked_w > 0 else Activity.IDLE
        for uid in described.devices:
            if uid in (GPU, ASIC):
                self.devices[uid] = self.devices[uid].model_copy(update={"activity": doing})

    def live(self, *, burst: bool = False) -> None:
        """Say what is said in five seconds."""
        if burst:
            fire_burst(self)
            return
        self.beat()
        for uid in self.devices:
            self.say_device(uid)

    def asked_w(self, heater_id: str | None = None) -> list[float]:
        """Return the watts of the leases asked for since the last call."""
        asked = [
            request.power_w
            for request in self.asked
            if isinstance(request, LeaseRequest) and heater_id in (None, request.heater)
        ]
        self.asked.clear()
        return asked

    def lease_w(self, heater_id: str) -> float | None:
        """Return the watts of the heater's lease, None without one."""
        one = next(one for one in self.state.heaters if one.id == heater_id)
        return one.lease.power_w if one.lease else None


def room_subentry(
    heaters: Iterable[HeaterKey] = (MACHINE,),
    *,
    room_id: str = LIVING,
    thermometer: str = THERMOMETER,
    **data: Any,
) -> ConfigSubentryDataWithId:
    """Return a room."""
    return ConfigSubentryDataWithId(
        subentry_type="room",
        subentry_id=room_id,
        title=room_id.title(),
        unique_id=None,
        data={"thermometer": thermometer, "heaters": [*map(heater_id, heaters)], **data},
    )


def circuit_subentry(
    heaters: Iterable[HeaterKey] = (MACHINE,), *, circuit_id: str = "c1", **data: Any
) -> ConfigSubentryDataWithId:
    """Return a circuit of 230 V and 16 A."""
    return ConfigSubentryDataWithId(
        subentry_type="circuit",
        subentry_id=circuit_id,
        title=f"Circuit {circuit_id}",
        unique_id=None,
        data={"volts": 230.0, "amps": 16.0, "heaters": [*map(heater_id, heaters)], **data},
    )


@dataclass
class Home:
    """A running home: its entry, its rigs, and the clock."""

    hass: HomeAssistant
    entry: MockConfigEntry
    freezer: FrozenDateTimeFactory
    rigs: dict[str, HomeRig]

    @property
    def house(self) -> House:
        """Return the house; another one after a reload."""
        return house_of(self.entry)

    @property
    def heating(self) -> Any:
        """Return the house's heating; anew after a reload."""
        return house_of(self.entry).heating

    def say_all(self) -> None:
        """Have every rig say everything, as after the house subscribed anew."""
        for rig in self.rigs.values():
            rig.live(burst=True)

    def set(self, entity_id: str, state: object, **attributes: Any) -> None:
        """Have an entity say something."""
        self.hass.states.async_set(entity_id, str(state), attributes)

    def warm(self, temp: float, entity_id: str = THERMOMETER, unit: str = "°C") -> None:
        """Have a thermometer say something."""
        self.hass.states.async_set(
            entity_id,
            str(temp),
            {"unit_of_measurement": unit, "device_class": "temperature"},
            force_update=True,
        )

    async def settle(self) -> None:
        """Let everything that was begun come to its end."""
        await self.hass.async_block_till_done(wait_background_tasks=True)

    async def minutes(self, count: float = 1.0, *silent: str) -> None:
        """Let minutes pass; every thermometer repeats itself, and every rig but `silent` ones."""
        for _ in range(round(count * 4)):
            self.freezer.tick(timedelta(seconds=15))
            for rig_id, rig in self.rigs.items():
                rig.tick += 10
                if rig_id not in silent:
                    rig.live()
            for state in self.hass.states.async_all("sensor"):
                known = state.state not in ("unavailable", "unknown")
                if known and state.entity_id.endswith("_temperature"):
                    self.hass.states.async_set(
                        state.entity_id, state.state, state.attributes, force_update=False
                    )
            async_fire_time_changed(self.hass, dt_util.utcnow())
            await self.settle()

    async def heat(self, room_id: str = LIVING, **wish: Any) -> None:
        """Turn a room on."""
        await self.heating.async_set_room(room_id, **{"mode": HvacMode.HEAT, **wish})
        await self.settle()

    async def restart(self, *lost: str, away_s: float = 30.0) -> None:
        """Restart the house as Home Assistant does; `lost` entities have nothing to say yet."""
        assert await self.hass.config_entries.async_unload(self.entry.entry_id)
        await self.settle()
        for entity_id in lost:
            self.hass.states.async_remove(entity_id)
        self.freezer.tick(timedelta(seconds=away_s))
        for rig in self.rigs.values():
            rig.tick += away_s
        assert await self.hass.config_entries.async_setup(self.entry.entry_id)
        await self.settle()
        self.say_all()
        await self.settle()


async def set_up_home(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    *parts: ConfigSubentryDataWithId,
    options: dict[str, Any] | None = None,
    alive: bool = True,
) -> Home:
    """Set up a home of both rigs (a machine in the attic, a miner in the cellar) and `parts`."""
    assert await async_setup_component(hass, "homeassistant", {})
    entry = MockConfigEntry(
        domain=DOMAIN,
        unique_id=DOMAIN,
        title="Hashcenter",
        entry_id="house",
        subentries_data=[rig_subentry(ATTIC), rig_subentry(CELLAR), *parts],
        options=options or {},
    )
    entry.add_to_hass(hass)
    rigs = {rig_id: HomeRig(hass, rig_id) for rig_id in (ATTIC, CELLAR)}
    rigs[CELLAR].become_miner()
    rigs[ATTIC].inventory = rigs[ATTIC].inventory.model_copy(
        update={"devices": (gpu(), cpu()), "heaters": (heater((GPU, CPU)),)}
    )
    rigs[ATTIC].rest()
    home = Home(hass, entry, freezer, rigs)
    home.warm(20.0)
    home.warm(20.0, BATH_THERMOMETER)
    home.warm(-2.0, OUTDOOR)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await home.settle()
    for rig in rigs.values():
        await rig.listen()
        if alive:
            rig.live(burst=True)
    await home.settle()
    return home


def subentry_of(data: ConfigSubentryDataWithId) -> ConfigSubentry:
    """Return a subentry that can be added to a running house."""
    return ConfigSubentry(
        data=MappingProxyType(dict(data["data"])),
        subentry_id=data["subentry_id"],
        subentry_type=data["subentry_type"],
        title=data["title"],
        unique_id=None,
    )
