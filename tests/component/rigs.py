"""Rigs as Home Assistant hears them: real messages of the wire, said over its mocked MQTT.

A ScriptedRig says what a test tells it to and answers requests as it was told; it hears them on the
rig's request topic. `set_up_house` makes a house of accepted rigs.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from homeassistant.components.mqtt import ReceiveMessage, async_subscribe
from homeassistant.config_entries import ConfigEntry, ConfigSubentryData, ConfigSubentryDataWithId
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_mqtt_message,
)

from custom_components.hashcenter.const import DOMAIN
from custom_components.hashcenter.house import House
from custom_components.hashcenter.wire import topics
from custom_components.hashcenter.wire.codec import WireModel, encode
from custom_components.hashcenter.wire.messages import (
    Announce,
    AnyRequest,
    Device,
    DeviceState,
    Endpoint,
    Heater,
    HeaterState,
    InferenceState,
    Inventory,
    LeaseInForce,
    LeaseRequest,
    Model,
    ReleaseRequest,
    Response,
    RigState,
    Runner,
    Status,
    StopAllRequest,
    decode_request,
)
from custom_components.hashcenter.wire.values import (
    Activity,
    Capabilities,
    DeviceKind,
    Effect,
    PowerSource,
    Presence,
    Throttle,
    Verdict,
    WattRange,
)

ATTIC = "attic"
CELLAR = "cellar"
GPU = "GPU-1111"
GPU_2 = "GPU-2222"
CPU = "cpu-attic"
ASIC = "asic-0001"
KEY = "hc-key"
URL = "http://10.0.0.5:8420"

GPU_READINGS = (
    "power_w",
    "power_limit_w",
    "energy_kwh",
    "temp_c",
    "memory_temp_c",
    "fan_percent",
    "utilization_percent",
    "memory_used_mib",
    "memory_total_mib",
    "clock_mhz",
    "memory_clock_mhz",
    "throttle",
    "foreign_processes",
    "hash_rate_mhs",
)


def gpu(uid: str = GPU, ordinal: int = 0, readings: tuple[str, ...] = GPU_READINGS) -> Device:
    """Return a GPU as an inventory describes it."""
    return Device(
        uid=uid,
        kind=DeviceKind.GPU,
        name="RTX 3090",
        ordinal=ordinal,
        model="NVIDIA GeForce RTX 3090",
        capabilities=Capabilities(
            readings=readings,
            power_source=PowerSource.MEASURED,
            power_limit=WattRange(min_w=100, max_w=350),
        ),
    )


def cpu(uid: str = CPU) -> Device:
    """Return a rig's CPU."""
    capabilities = Capabilities(readings=("power_w", "energy_kwh", "utilization_percent"))
    return Device(uid=uid, kind=DeviceKind.CPU, name="Ryzen 9", capabilities=capabilities)


def asic(uid: str = ASIC, readings: tuple[str, ...] = ("power_w", "hash_rate_mhs")) -> Device:
    """Return an ASIC miner."""
    return Device(
        uid=uid,
        kind=DeviceKind.ASIC,
        name="S19 in the cellar",
        model="Antminer S19j Pro",
        firmware="2.1",
        mac="AA:BB:CC:DD:EE:FF",
        url="http://10.0.0.9/",
        capabilities=Capabilities(readings=readings, can_restart=True),
    )


def heater(devices: tuple[str, ...] = (GPU, CPU), **values: Any) -> Heater:
    """Return the heater that a machine is."""
    defaults: dict[str, Any] = {
        "id": "machine",
        "name": "Attic",
        "idle_w": 60.0,
        "min_w": 160.0,
        "max_w": 900.0,
        "unattended_w": 60.0,
        "can_hash": True,
        "can_answer": True,
    }
    return Heater(**{**defaults, "devices": devices, **values})


def device_state(boot_id: str = "boot-1", **values: Any) -> DeviceState:
    """Return what a GPU says."""
    defaults: dict[str, Any] = {
        "activity": Activity.HASHING,
        "power_w": 251.4,
        "power_limit_w": 280.0,
        "energy_kwh": 12.3456,
        "temp_c": 61.0,
        "memory_temp_c": 82.0,
        "fan_percent": 55.0,
        "utilization_percent": 99.0,
        "memory_used_mib": 8123.0,
        "memory_total_mib": 24576.0,
        "clock_mhz": 1695.0,
        "memory_clock_mhz": 9501.0,
        "throttle": Throttle.POWER_LIMIT,
        "foreign_processes": 0,
        "hash_rate_mhs": 121.5,
        "target_w": 250.0,
    }
    return DeviceState(**{**defaults, "boot_id": boot_id, **values})


@dataclass
class ScriptedRig:
    """One rig's side of the wire. Change its fields, then have it say them."""

    hass: HomeAssistant
    rig_id: str = ATTIC
    boot_id: str = "boot-1"
    tick: float = 100.0
    devices: dict[str, DeviceState] = field(default_factory=dict)
    asked: list[AnyRequest] = field(default_factory=list)
    #: Codes and sentences of the next refusals; without one a request is accepted.
    refuse: list[tuple[str, str]] = field(default_factory=list)
    deaf: bool = False
    #: Called a moment after a request was refused.
    then: Callable[[], None] | None = None

    def __post_init__(self) -> None:
        self.announce = Announce(
            rig=self.rig_id,
            name=self.rig_id.title(),
            protocol=1,
            min_protocol=1,
            version="0.1.0",
        )
        self.inventory = Inventory(
            boot_id=self.boot_id,
            protocol=1,
            min_protocol=1,
            version="0.1.0",
            name=self.rig_id.title(),
            allow_control=True,
            heaters=(heater(),),
            devices=(gpu(), cpu()),
            runners=(Runner(name="chat", plugin="llama_server", models=(Model(id="llama"),)),),
            endpoint=Endpoint(url=URL),
        )
        self.state = RigState(
            boot_id=self.boot_id,
            tick=self.tick,
            activity=Activity.HASHING,
            power_w=412.3,
            energy_kwh=20.5,
            hashing_w=300.2,
            answering_w=0.0,
            idle_w=112.1,
            hash_rate_mhs=121.5,
            shares_accepted_total=17,
            heaters=(
                HeaterState(
                    id="machine",
                    power_w=412.3,
                    target_w=400.0,
                    effect=Effect.REACHED,
                    reason="hashing as asked",
                    available_w=880.0,
                    available_why="the owner's limit",
                ),
            ),
            inference=InferenceState(
                available=True,
                model="llama",
                first_token_s=0.42,
                tokens_per_s=41.5,
                tokens_per_joule=0.15,
            ),
        )
        self.devices = {
            GPU: device_state(self.boot_id),
            CPU: DeviceState(
                boot_id=self.boot_id,
                activity=Activity.IDLE,
                power_w=40.0,
                energy_kwh=3.5,
                utilization_percent=7.0,
            ),
        }

    def say(
        self,
        topic: topics.Topic[Any],
        message: WireModel | str,
        *,
        uid: str | None = None,
        retain: bool = False,
    ) -> None:
        """Say one message."""
        payload = message if isinstance(message, str) else encode(message)
        async_fire_mqtt_message(self.hass, topic.of(self.rig_id, uid), payload, retain=retain)

    def say_announce(self) -> None:
        """Say what the broker keeps and discovery hears."""
        self.say(topics.ANNOUNCE, self.announce, retain=True)

    def say_inventory(self, *, retain: bool = False, **changes: Any) -> None:
        """Say the inventory, with changes that last."""
        self.inventory = self.inventory.model_copy(update=changes)
        self.say(topics.INVENTORY, self.inventory, retain=retain)

    def beat(self, **changes: Any) -> None:
        """Say the next heartbeat, with changes that last."""
        self.tick += 5
        self.state = self.state.model_copy(update={**changes, "tick": self.tick})
        self.say(topics.STATE, self.state)

    def say_device(self, uid: str = GPU, **changes: Any) -> None:
        """Say what a device does, with changes that last."""
        self.devices[uid] = self.devices[uid].model_copy(update=changes)
        self.say(topics.DEVICE, self.devices[uid], uid=uid)

    def say_offline(self) -> None:
        """Say the will of this run, as the broker does for a bridge that died."""
        status = Status(status=Presence.OFFLINE, boot_id=self.boot_id)
        self.say(topics.STATUS, status)

    def restart(self, boot_id: str) -> None:
        """Begin a new run; nothing is said yet."""
        self.boot_id, self.tick = boot_id, 0.0
        new = {"boot_id": boot_id}
        self.inventory = self.inventory.model_copy(update=new)
        self.state = self.state.model_copy(update={**new, "tick": 0.0})
        self.devices = {uid: state.model_copy(update=new) for uid, state in self.devices.items()}

    async def listen(self) -> None:
        """Hear requests from now on, and answer them."""
        await async_subscribe(self.hass, topics.REQUEST.of(self.rig_id), self._take, 1)

    @callback
    def _take(self, received: ReceiveMessage) -> None:
        assert not received.retain
        request = decode_request(str(received.payload))
        self.asked.append(request)
        if self.deaf:
            return
        code, text = self.refuse.pop(0) if self.refuse else ("accepted", "")
        result = Verdict.ACCEPTED if code == "accepted" else Verdict.REFUSED
        if result is Verdict.REFUSED and self.then:
            self.hass.loop.call_later(0.01, self.then)
        self.say(
            topics.RESPONSE,
            Response(
                id=request.id,
                controller=request.controller,
                seq=request.seq,
                result=result,
                code=code,
                text=text,
            ),
        )
        if result is Verdict.ACCEPTED:
            self._obey(request)

    def _obey(self, request: AnyRequest) -> None:
        """Show in the next heartbeat what was accepted."""
        one = self.state.heaters[0]
        match request:
            case LeaseRequest():
                lease = LeaseInForce(
                    controller=request.controller,
                    power_w=request.power_w,
                    favor=request.favor,
                    remaining_s=request.ttl_s,
                )
                heaters = (one.model_copy(update={"lease": lease}),)
                self.state = self.state.model_copy(update={"heaters": heaters})
            case ReleaseRequest():
                heaters = (one.model_copy(update={"lease": None}),)
                self.state = self.state.model_copy(update={"heaters": heaters})
            case StopAllRequest():
                self.state = self.state.model_copy(update={"stopped": request.engaged})

    def leases(self) -> list[float]:
        """Return the watts of the leases that were asked for, and forget the requests."""
        asked = [request.power_w for request in self.asked if isinstance(request, LeaseRequest)]
        self.asked.clear()
        return asked


@dataclass
class RigApi:
    """What a rig answers over HTTP when it is asked for its models, to try a key on."""

    mock: Any

    def answers(self, host: str = URL, **reply: Any) -> None:
        """Answer from now on, by default as to the right key."""
        self.mock.clear_requests()
        self.mock.get(f"{host}/v1/models", **(reply or {"json": {"data": []}}))

    @property
    def shown(self) -> list[str]:
        """What was shown as a key, in order."""
        return [headers["Authorization"] for *_, headers in self.mock.mock_calls]


def fire_burst(rig: ScriptedRig) -> None:
    """Say everything that a rig keeps at the broker, then everything that it says live."""
    rig.say_announce()
    rig.say(topics.STATUS, Status(status=Presence.ONLINE, boot_id=rig.boot_id), retain=True)
    rig.say_inventory(retain=True)
    rig.beat()
    for uid in rig.devices:
        rig.say_device(uid)


def rig_subentry(
    rig_id: str = ATTIC, key: str | None = KEY, host: str | None = URL
) -> ConfigSubentryData:
    """Return an accepted rig."""
    return ConfigSubentryData(
        subentry_type="rig",
        title=rig_id.title(),
        unique_id=rig_id,
        data={"rig": rig_id, "key": key, "host": host},
    )


def house_entry(
    *subentries: ConfigSubentryData | ConfigSubentryDataWithId,
) -> MockConfigEntry:
    """Return a house of these subentries."""
    return MockConfigEntry(
        domain=DOMAIN,
        unique_id=DOMAIN,
        title="Hashcenter",
        entry_id="house",
        subentries_data=list(subentries),
    )


async def set_up_house(hass: HomeAssistant, *rigs: str) -> MockConfigEntry:
    """Set up a house that accepted these rigs."""
    assert await async_setup_component(hass, "homeassistant", {})
    entry = house_entry(*map(rig_subentry, rigs))
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


async def live_rig(hass: HomeAssistant, rig_id: str = ATTIC) -> ScriptedRig:
    """Return a rig of the house that is alive and hears requests."""
    rig = ScriptedRig(hass, rig_id)
    await rig.listen()
    fire_burst(rig)
    await hass.async_block_till_done()
    return rig


def house_of(entry: ConfigEntry) -> House:
    """Return the house of a loaded entry."""
    house: House = entry.runtime_data
    return house


def rigs_of(entry: ConfigEntry) -> dict[str, dict[str, Any]]:
    """Return the rig subentries by title."""
    return {
        one.title: dict(one.data) for one in entry.subentries.values() if one.subentry_type == "rig"
    }


def states(hass: HomeAssistant, *entity_ids: str) -> list[str]:
    """Return the states of entities."""
    found = [hass.states.get(entity_id) for entity_id in entity_ids]
    return [state.state if state else "(none)" for state in found]


def entity_ids(hass: HomeAssistant, domain: str) -> list[str]:
    """Return the entity ids of ours in a domain."""
    entries = er.async_get(hass).entities.values()
    return sorted(
        entry.entity_id for entry in entries if entry.platform == DOMAIN and entry.domain == domain
    )
