"""All that a rig consists of while it runs: holds the parts, has no behavior of its own."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from .answers import Answers
from .arbiter.types import Rules, Seen, State, TicketSeen, Wanted
from .config import Config
from .faults import Faults
from .fleet.fleet import Fleet
from .given_up import GivenUp
from .metering import Metering
from .programs import MinerProgram, RunnerProgram
from .store import Store
from .tasks import TaskQueue
from .tickets import Tickets
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
    faults: Faults = field(default_factory=Faults)
    health: Health = field(default_factory=Health)

    def __post_init__(self) -> None:
        self.given_up = GivenUp(self.store.kept.totals)

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
            devices=tuple(
                replace(device, foreign=False) if device.uid in guests else device
                for device in self.metering.seen(now)
            ),
            miners=tuple(program.seen() for program in self.miners),
            runners=tuple(program.seen() for program in self.runners),
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
