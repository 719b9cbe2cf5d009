"""A rig in memory under a real loop: devices and programs do what a test says, and record it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hashcenter_bridge.answers import Answers
from hashcenter_bridge.arbiter.types import Rules, State
from hashcenter_bridge.child import ChildSpec, ChildState
from hashcenter_bridge.config import Config, RigConfig
from hashcenter_bridge.devices import Sample
from hashcenter_bridge.devices.asic import AsicConfig, AsicPlugin
from hashcenter_bridge.errors import DeviceFault, MinerFault
from hashcenter_bridge.fleet.fleet import Fleet
from hashcenter_bridge.loop import Loop
from hashcenter_bridge.metering import Metering
from hashcenter_bridge.miners import MinerReading
from hashcenter_bridge.plugin import PluginContext, ProgramConfig
from hashcenter_bridge.programs import MinerProgram, RunnerProgram
from hashcenter_bridge.rig import Rig
from hashcenter_bridge.runners import Sharing, Upstream
from hashcenter_bridge.store import Store
from hashcenter_bridge.tasks import TaskQueue
from hashcenter_bridge.tickets import Tickets
from hashcenter_bridge.warmth import Warmth
from hashcenter_bridge.wire.codec import WireModel, encode
from hashcenter_bridge.wire.messages import Device, LeaseRequest, Model, Request
from hashcenter_bridge.wire.topics import Topic
from hashcenter_bridge.wire.values import Capabilities, DeviceKind, PowerSource, Readings, WattRange

RANGE = WattRange(min_w=100.0, max_w=350.0, default_w=350.0)


def gpu(uid: str = "GPU-0", **can: Any) -> Device:
    """Return a GPU as its driver probes it."""
    known = Capabilities(power_source=PowerSource.MEASURED, power_limit=RANGE, idle_w=20.0)
    return Device(
        uid=uid,
        kind=DeviceKind.GPU,
        name=f"RTX {uid}",
        capabilities=known.model_copy(update=can),
    )


def resting(**changes: Any) -> Readings:
    """Return the readings of a GPU that rests."""
    return Readings(power_w=20.0, power_limit_w=350.0, temp_c=40.0).model_copy(update=changes)


class Devices:
    """A driver whose samples a test writes; `limits` are those it was asked to set."""

    interval_s = 1.0

    def __init__(self, *devices: Device) -> None:
        self.devices = list(devices) or [gpu()]
        self.samples: dict[str, Sample | DeviceFault] = {
            device.uid: Sample(resting()) for device in self.devices
        }
        self.limits: list[tuple[str, float]] = []
        self.refusal: DeviceFault | None = None
        self.restarted: list[str] = []
        self.closely: list[str] = []
        self.looks = 0
        self.fault: DeviceFault | None = None

    async def probe(self) -> Sequence[Device]:
        return self.devices

    async def read(self) -> Mapping[str, Sample | DeviceFault]:
        self.looks += 1
        if self.fault:
            raise self.fault
        return self.samples

    async def set_power_limit(self, uid: str, power_w: float) -> None:
        self.limits.append((uid, power_w))
        if self.refusal:
            raise self.refusal
        self.change(uid, power_limit_w=power_w)

    def change(self, uid: str, **readings: Any) -> None:
        """Let a device read differently, unless it is silent or faulty."""
        sample = self.samples.get(uid)
        if isinstance(sample, Sample):
            changed = sample.readings.model_copy(update=readings)
            self.samples[uid] = replace(sample, readings=changed)

    def follow(self, hashing: set[str]) -> None:
        """Let the watts be what the limits and the miners make them."""
        for uid, sample in self.samples.items():
            if isinstance(sample, Sample):
                limit_w = sample.readings.power_limit_w
                self.change(uid, power_w=limit_w if uid in hashing else 20.0)

    def look_closely(self, uid: str) -> None:
        self.closely.append(uid)

    async def restart(self, uid: str) -> None:
        self.restarted.append(uid)
        if self.refusal:
            raise self.refusal

    def own_processes(self, pids: Callable[[], frozenset[int]]) -> None:
        """Nothing runs here."""

    def on_event(self, report: Callable[[str, str, str], None]) -> None:
        """Nothing happens here."""

    async def close(self) -> None:
        """Nothing is held."""


class Hasher:
    """A miner that somebody else started; `said` is what it was told. `stubborn` ignores that."""

    child: ChildSpec | None = None
    can_pause = True

    def __init__(self, name: str = "miner", gpus: tuple[str, ...] = ("GPU-0",)) -> None:
        self.name = name
        self.config = ProgramConfig(plugin="test", name=name)
        self.gpus = gpus
        self.reading: MinerReading | None = MinerReading(
            paused=False, hash_rate_hs=2e6, shares_accepted=0, shares_rejected=0,
            pool_connected=True,
        )  # fmt: skip
        self.said: list[str] = []
        self.stubborn = False

    async def read(self) -> MinerReading:
        if self.reading is None:
            raise MinerFault("miner_unreachable", f"{self.name} cannot be reached")
        return self.reading

    async def pause(self) -> None:
        self._obey("pause", paused=True)

    async def resume(self) -> None:
        self._obey("resume", paused=False)

    def _obey(self, word: str, *, paused: bool) -> None:
        self.said.append(word)
        if self.reading is None:
            raise MinerFault("miner_unreachable", f"{self.name} cannot be reached")
        if not self.stubborn:
            self.reading = replace(self.reading, paused=paused)

    async def close(self) -> None:
        """Nothing is held."""


class Answerer:
    """A runner that somebody else started and that is ready."""

    plugin = "test"
    sharing: Sharing = "together"
    child: ChildSpec | None = None

    def __init__(
        self, name: str = "runner", gpus: tuple[str, ...] = ("GPU-0",), slots: int = 1
    ) -> None:
        self.name = name
        self.config = ProgramConfig(plugin="test", name=name)
        self.gpus = gpus
        self.slots = slots
        self.models: tuple[Model, ...] = (Model(id="llama"),)
        self.upstream = Upstream("http://127.0.0.1:9/v1")
        self.is_ready = True

    async def verify(self) -> None:
        """Its weights are in order."""

    async def ready(self) -> bool:
        return self.is_ready

    async def close(self) -> None:
        """Nothing is held."""


class ChildRecorder:
    """Stands for a child process: keeps what was wanted, and is in the state a test says."""

    def __init__(self, state: ChildState = ChildState.STOPPED) -> None:
        self.state = state
        self.why = ""
        self.wanted: list[bool] = []

    def want(self, running: bool) -> None:
        if not self.wanted or self.wanted[-1] is not running:
            self.wanted.append(running)

    async def close(self) -> None:
        """Nothing runs."""


@dataclass
class Said:
    """One message as it would travel."""

    topic: str
    message: Any
    uid: str | None
    at: float


class Recorder:
    """Stands for the line to the broker. Each message is checked for fields nobody knows."""

    online = True
    connects = 1

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.said: list[Said] = []

    def say(self, topic: Topic[WireModel], message: WireModel, uid: str | None = None) -> None:
        sent = topic.message.model_validate_json(encode(message), extra="forbid")
        self.said.append(Said(topic.name, sent, uid, self._clock()))

    def of(self, topic: str) -> list[Any]:
        """Return what was said on a topic."""
        return [one.message for one in self.said if one.topic == topic]

    def last(self, topic: str) -> Any:
        """Return what was said last on a topic."""
        return self.of(topic)[-1]


class Bench:
    """A rig, its loop and its line; time passes when a test says so."""

    def __init__(self, folder: Path, **rules: Any) -> None:
        self.now = 0.0
        self.folder = folder
        self.devices = Devices()
        self.miners: list[Hasher] = []
        #: Blocks of ASICs with what makes their drivers.
        self.asics: list[tuple[AsicPlugin, AsicConfig]] = []
        self.runners: list[Answerer] = []
        self.rules = replace(Rules(heater="attic", max_w=1500.0, allow_control=True), **rules)
        self.line = Recorder(lambda: self.now)
        self.loop: Loop
        self.rig: Rig
        #: Whether watts follow limits and miners by themselves.
        self.follows = True
        self._seq = 0

    async def start(self, **state: Any) -> "Bench":
        """Put it together, as often as a test likes: the folder stays."""
        store = Store(self.folder, self.folder, lambda: self.now)
        metering = Metering([self.devices], self.rules, store, lambda: self.now, self._wake)
        await metering.probe()
        answers = Answers(store.kept.totals, lambda _: None)
        config = Config(
            rig=RigConfig(id="attic", allow_control=self.rules.allow_control, max_w=1500.0)
        )
        context = PluginContext(self.folder, self.folder)
        self.rig = Rig(
            config=config,
            version="0.1.0",
            boot_id="boot",
            clock=lambda: self.now,
            rules=self.rules,
            store=store,
            metering=metering,
            fleet=Fleet(self.asics, config.asics, config.rig, context, store, lambda: self.now),
            miners=[MinerProgram(one, lambda: self.now, lambda: None) for one in self.miners],
            runners=[RunnerProgram(one, lambda: self.now, lambda: None) for one in self.runners],
            tickets=Tickets(lambda: self.now, lambda: None, answers.closed, answers.opened),
            warmth=Warmth(lambda: self.now, lambda: None),
            tasks=TaskQueue(self.folder / "tasks", lambda: self.now),
            answers=answers,
            state=State(stopped=store.kept.stopped, **state),
            url="http://attic:8420",
        )
        self.loop = Loop(self.rig)
        self.loop.line = self.line  # type: ignore[assignment]
        return self

    def _wake(self) -> None:
        self.loop.wake()

    def adopt_child(self, state: ChildState = ChildState.STOPPED) -> ChildRecorder:
        """Make the first miner one that the bridge starts."""
        child = ChildRecorder(state)
        self.rig.miners[0].child = child  # type: ignore[assignment]
        return child

    def adopt_runner(self, state: ChildState = ChildState.STOPPED) -> ChildRecorder:
        """Make the first runner one that the bridge starts."""
        child = ChildRecorder(state)
        self.rig.runners[0].child = child  # type: ignore[assignment]
        return child

    async def look(self) -> None:
        """Have everything read once."""
        if self.follows:
            busy = [one for one in self.miners if one.reading and not one.reading.paused]
            self.devices.follow({uid for one in busy for uid in one.gpus})
        await self.rig.metering.look(self.devices)
        for station in self.rig.fleet.stations:
            while await station.turn():
                pass
        for miner in self.rig.miners:
            if miner.child is None:
                await miner._read()
        for runner in self.rig.runners:
            if runner.child is None:
                runner._ready = await runner.runner.ready()

    async def step(self, after_s: float = 1.0) -> None:
        """Let time pass, look, decide, and let what was started end."""
        self.now += after_s
        await self.look()
        self.loop.step()
        while self.loop._working:
            await asyncio.gather(*self.loop._working.values(), return_exceptions=True)
            await asyncio.sleep(0)

    async def steps(self, count: int) -> None:
        """Let so many seconds pass."""
        for _ in range(count):
            await self.step()

    def ask(self, request: type[Request] = LeaseRequest, **fields: Any) -> str:
        """Have the house ask for something, and return the rig's answer."""
        self._seq += 1
        heater = {"heater": "attic"} if "heater" in request.model_fields else {}
        power = {"power_w": 200.0} if request is LeaseRequest else {}
        known = {"id": f"q{self._seq}", "boot_id": "boot", "tick": self.now, "controller": "house"}
        message = request(**{**known, "seq": self._seq, **heater, **power, **fields})
        self.loop.heard(encode(message).encode(), retained=False)
        answer: str = self.line.last("response").code
        return answer
