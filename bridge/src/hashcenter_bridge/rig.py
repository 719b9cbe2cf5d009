"""All that a rig consists of while it runs: holds the parts, has no behavior of its own."""

from collections.abc import Callable, Mapping, Set as AbstractSet
from dataclasses import dataclass, field, replace

from .answers import Answers
from .arbiter.types import DeviceSeen, Rules, RunnerSeen, Running, Seen, State, TicketSeen, Wanted
from .config import Config
from .faults import Faults
from .fleet.fleet import Fleet
from .given_up import GivenUp
from .metering import Metering
from .miners import Miner
from .programs import MinerProgram, RunnerProgram
from .runners import Runner
from .store import Store
from .tasks import TaskQueue
from .tickets import Tickets
from .video_memory import VideoMemory, is_somebodys
from .voice import Voice
from .warmth import Warmth
from .wire.messages import Health


@dataclass(eq=False)
class Rig:
    """The parts, the arbiter's memory and last decision. `clock` counts seconds since the start.

    `control_refused`: why requests are refused though the owner allows them; in a sentence.
    """

    config: Config
    version: str
    boot_id: str
    clock: Callable[[], float]
    rules: Rules
    store: Store
    metering: Metering
    fleet: Fleet
    miners: list[MinerProgram]
    runners: list[RunnerProgram]
    tickets: Tickets
    answers: Answers
    state: State
    warmth: Warmth
    tasks: TaskQueue
    url: str | None = None
    voices: list[Voice] = field(default_factory=list)
    wanted: Wanted | None = None
    control_refused: str | None = None
    given_up: GivenUp = field(init=False)
    memory: VideoMemory = field(init=False)
    #: The process of each program, as it was at the last look.
    occupied: dict[str, int | None] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    health: Health = field(default_factory=Health)

    def __post_init__(self) -> None:
        self.given_up = GivenUp(self.store.kept.totals)
        self.memory = VideoMemory(self.store.kept.memory)
        self.memory.forget_others(
            [(one.miner.name, one.miner.config) for one in self.miners]
            + [(one.runner.name, one.runner.config) for one in self.runners]
        )

    def seen(self, now: float) -> Seen:
        """Return everything the arbiter is shown."""
        guests = {
            uid for program in self.miners if program.child is None for uid in program.miner.gpus
        } | {
            uid
            for program in self.runners
            if program.runner.child is None
            for uid in program.runner.gpus
        }
        return Seen(
            # A program that the owner named is no stranger, though the bridge did not start it.
            devices=tuple(self._device(device, guests) for device in self.metering.seen(now)),
            miners=tuple(replace(one.seen(), needs=self._needs(one.miner)) for one in self.miners),
            runners=tuple(self._runner(one) for one in self.runners),
            tickets=tuple(
                TicketSeen(
                    ticket.id,
                    ticket.priority,
                    ticket.stamps["opened"],
                    ticket.model,
                    ticket.runner,
                    ticket.slot,
                    ticket.recallable,
                    "first_token" in ticket.stamps,
                    ticket.draws,
                )
                for ticket in self.tickets.open.values()
                if ticket.refusal is None
            ),
            warm=self.warmth.active,
        )

    def _runner(self, one: RunnerProgram) -> RunnerSeen:
        """Complete what a runner says with what it was seen to take."""
        seen = one.seen()
        return replace(seen, needs={**seen.needs, **self._needs(one.runner)})

    def _needs(self, program: Miner | Runner) -> Mapping[str, float]:
        return self.memory.needs(program.name, program.config, program.gpus)

    def _device(self, device: DeviceSeen, guests: AbstractSet[str]) -> DeviceSeen:
        """Complete what metering saw with what is known of programs."""
        watched = self.metering.watched[device.uid]
        device = replace(device, strangers_mib=self.memory.strangers_mib(device.uid))
        if device.uid in guests:
            # A program that the owner named is no stranger, though the bridge did not start it.
            return replace(device, foreign=False)
        ours_here = any(
            device.uid in gpus and running is not Running.STOPPED
            for gpus, running in (
                *((one.miner.gpus, one.running) for one in self.miners),
                *((one.runner.gpus, one.running) for one in self.runners),
            )
        )
        return replace(device, foreign=device.foreign or is_somebodys(watched, ours_here=ours_here))
