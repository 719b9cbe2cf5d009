"""What the loop does for people at each step, besides granting their tickets."""

from .arbiter.allocate import wall_w
from .arbiter.types import Running
from .given_up import Paused
from .prefix import VOICE_SLOT
from .programs import MinerProgram
from .rig import Rig
from .tickets import Priority
from .wire.values import DeviceKind, Favor, LeasePhase


def keep_prompts(rig: Rig) -> None:
    """Have the runners restore, read or save the house's prompt while nobody speaks."""
    tickets = rig.tickets.open.values()
    speaking = any(ticket.priority is Priority.VOICE for ticket in tickets)
    for program in rig.runners:
        if program.keeper is None:
            continue
        used = any(
            ticket.runner == program.runner.name and ticket.slot == VOICE_SLOT for ticket in tickets
        )
        program.keeper.step(
            active=program.running is Running.ACTIVE,
            busy=speaking or used,
            urgent=rig.warmth.active,
        )


def count_given_up(rig: Rig, now: float) -> None:
    """Count what miners give up for people."""
    rig.given_up.look((_paused(rig, program) for program in rig.miners), now)


def run_tasks(rig: Rig, now: float) -> None:
    """Have queued work done when it is wanted."""
    rig.tasks.step(wants_heat=_wants_heat(rig, now), answer_s=rig.answers.answer_s)


def _wants_heat(rig: Rig, now: float) -> bool:
    """Return whether the house leases more than the machine draws idle, and not for hashing."""
    lease = rig.state.lease
    if lease is None or lease.phase(now) is not LeasePhase.ACTIVE or lease.favor == Favor.HASHING:
        return False
    idle_w = sum(device.idle_w for device in rig.metering.seen(now))
    return lease.power_w > wall_w(idle_w, rig.rules)


def _paused(rig: Rig, program: MinerProgram) -> Paused:
    watched = rig.metering.watched
    uids = program.miner.gpus or [
        uid for uid, one in watched.items() if one.device.kind == DeviceKind.CPU
    ]
    watts = [watched[uid].readings.power_w for uid in uids if uid in watched]
    known = [power_w for power_w in watts if power_w is not None]
    return Paused(
        name=program.miner.name,
        hashes=program.running is Running.ACTIVE,
        gives_way=program.miner.name in rig.state.people_until,
        hash_rate_hs=program.reading.hash_rate_hs if program.reading else None,
        power_w=sum(known) if known and len(known) == len(watts) else None,
    )
