"""Has the GPUs' memory looked at, closely where a program of ours began or ended."""

from .child import Child
from .programs import MinerProgram, RunnerProgram
from .rig import Rig
from .video_memory import Occupant


def look(rig: Rig, now: float) -> None:
    """Learn from the last looks at the GPUs, and look closely where a program began or ended."""
    here = [_occupant(one) for one in rig.miners] + [_occupant(one) for one in rig.runners]
    pids = {one.name: (one.pid, one.gpus) for one in here}
    for name, (pid, gpus) in pids.items():
        if rig.occupied.get(name) != pid:
            for uid in gpus:
                if uid in rig.metering.watched:
                    rig.metering.look_soon(uid, closely=True)
    rig.occupied = {name: pid for name, (pid, _) in pids.items()}
    if rig.memory.look(rig.metering.watched, here, now):
        rig.store.save()


def _occupant(program: MinerProgram | RunnerProgram) -> Occupant:
    what = program.miner if isinstance(program, MinerProgram) else program.runner
    child = program.child if isinstance(program.child, Child) else None
    return Occupant(
        name=what.name,
        config=what.config,
        gpus=what.gpus,
        pid=child.pid if child else None,
        since=child.ready_since if child else None,
    )
