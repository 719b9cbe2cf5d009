"""The most that this machine can draw as it stands: what a breaker has to reckon with.

A GPU draws at most its enforced limit, once that was read back and while its watts follow it; else
the most its limit can be set to. What has no limit counts with what it draws at work.
"""

from typing import Final

from .arbiter.allocate import wall_w
from .arbiter.effect import tolerance_w
from .metering import Watched
from .rig import Rig
from .wire.values import Capabilities, DeviceKind, Effect

#: An enforced limit that was read longer ago may be another one now.
_FRESH_S: Final = 30.0


def nameplate_w(can: Capabilities) -> float:
    """Return the most a device can draw whatever it is told, as far as it says."""
    if can.power_limit is not None:
        return can.power_limit.max_w
    return max(can.nominal_w or 0.0, can.idle_w or 0.0)


def possible_w(rig: Rig, now: float) -> float | None:
    """Return it at the wall; None where a program works on something nobody knows the watts of."""
    total_w = 0.0
    for uid, watched in rig.metering.watched.items():
        can = watched.device.capabilities
        if can.power_limit is None and can.nominal_w is None and _works_on(rig, watched):
            return None
        track = rig.state.tracks.get(uid)
        obeys = track is None or track.effect is not Effect.NO_EFFECT
        total_w += _most_w(watched, now, obeys=obeys)
    return wall_w(total_w, rig.rules)


def _most_w(watched: Watched, now: float, *, obeys: bool) -> float:
    readings, can = watched.readings, watched.device.capabilities
    drawn_w, limit_w = readings.power_w or 0.0, readings.power_limit_w
    fresh = watched.fault is None and now - watched.read_at <= _FRESH_S
    if can.power_limit is None or limit_w is None or not fresh or not obeys:
        return max(nameplate_w(can), drawn_w)
    if drawn_w > limit_w + tolerance_w(limit_w):
        return max(nameplate_w(can), drawn_w)
    return max(limit_w, drawn_w)


def _works_on(rig: Rig, watched: Watched) -> bool:
    """Whether a miner or a model of ours computes there without any GPU."""
    if watched.device.kind != DeviceKind.CPU:
        return False
    return any(not one.miner.gpus for one in rig.miners) or any(
        not one.runner.gpus and not one.runner.upstream.elsewhere for one in rig.runners
    )
