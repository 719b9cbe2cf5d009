"""How many watts a room needs: what it loses, plus a PI controller on what is left to correct.

`P* = UA * (target - outdoor) - gains + Kp * e + I`: UA is learned (heat_loss.py), gains are
watts in the room that nobody here controls, e is the error of the filtered temperature. The
integral only moves while the heaters really follow the demand (their measured mean), so it cannot
wind up behind a booting miner, a full circuit or a lost pool. Kp and Ti follow from UA alone.
"""

from dataclasses import dataclass, replace
from typing import Final

from . import heat_loss
from .safety import Verdict
from .seen import PeakEvent, RoomSeen
from .state import RoomState
from .wanted import LimitCode

#: Kp in units of the heat-loss coefficient: a kelvin of error asks for so many kelvins' loss.
GAIN: Final = 8.0
INTEGRAL_S: Final = 3_600.0
FILTER_S: Final = 240.0
#: What a demand may differ from the measured mean and still count as followed.
_FOLLOWED_W: Final = 60.0
_FOLLOWED_SHARE: Final = 0.03
#: Longer without a decision is a restart or a clock that jumped: nothing is integrated over it.
LONGEST_STEP_S: Final = 300.0
_RESTART_S: Final = 1_800.0
#: Blind, a room gets this share of what held it; after an hour much less: it must not overheat.
_BLIND_SHARE: Final = 0.8
_BLIND_LONG_SHARE: Final = 0.4
BLIND_LONG_S: Final = 3_600.0
_PEAK_SETBACK_K: Final = 1.5
_PREHEAT_K: Final = 0.5
_PREHEAT_S: Final = 5_400.0
_COASTS_K: Final = 0.5
_RETURN_K_PER_S: Final = 1.0 / 3_600.0
_FROST_ABOVE_K: Final = 1.0
_TOO_WARM: Final = (LimitCode.HIGH_LIMIT, LimitCode.OVER_TARGET)


@dataclass(frozen=True)
class RoomHeat:
    """Measured and possible watts in a room.

    `delivered_w` is the 10-minute mean of what heats it, `gains_w` the part of it that nobody here
    controls; `installed_w` is what its heaters have at most. `heats`: some of it is asked for.
    """

    delivered_w: float
    gains_w: float
    installed_w: float
    heats: bool = False


def target_c(room: RoomSeen, memory: RoomState, peak: PeakEvent | None, dt_s: float) -> float:
    """Return the target to work with: warmer before a peak-price event, cooler in it.

    Afterwards it comes back slowly, so that not everything starts at once.
    """
    aim_c = room.target_c
    if peak is not None and peak.active:
        return aim_c - _PEAK_SETBACK_K
    if peak is not None and peak.starts_in_s is not None and peak.starts_in_s <= _PREHEAT_S:
        return min(aim_c + _PREHEAT_K, room.high_c - _PREHEAT_K)
    if memory.peak_shift_k < 0:
        return aim_c + min(0.0, memory.peak_shift_k + _RETURN_K_PER_S * dt_s)
    return aim_c


def follow(
    memory: RoomState,
    room: RoomSeen,
    verdict: Verdict,
    heat: RoomHeat,
    temp_c: float | None,
    outdoor: float | None,
    peak: PeakEvent | None,
    now: float,
) -> RoomState:
    """Return the room's memory with its new demand in watts, before every clamp."""
    gap_s = now - memory.at
    restarted = memory.at <= 0 or not 0 <= gap_s <= _RESTART_S
    dt_s = 0.0 if restarted else min(gap_s, LONGEST_STEP_S)
    filtered_c = _filtered(memory.filtered_c, temp_c, dt_s, anew=restarted)
    outdoor_c = memory.outdoor_c if outdoor is None else outdoor
    learned = memory.learned
    if temp_c is not None and dt_s > 0:
        learned = heat_loss.learn(
            learned,
            heat_w=heat.delivered_w,
            room_c=temp_c,
            outdoor_c=outdoor,
            counts=not (room.windows_open or room.backup_heats),
            dt_s=dt_s,
        )
    given = room.heat_loss_w_per_k
    before = heat_loss.coefficient_w_per_k(memory.learned, heat.installed_w, given)
    loss = heat_loss.coefficient_w_per_k(learned, heat.installed_w, given)
    aim_c = target_c(room, memory, peak, dt_s)
    cold_k = aim_c - outdoor_c if outdoor_c is not None else 0.0
    off_k = aim_c - filtered_c if filtered_c is not None else 0.0
    # Whatever is learned, the watts stay as they are: the integral takes up the difference.
    integral_w = memory.integral_w - (loss - before) * (cold_k + GAIN * off_k)
    if outdoor_c is not None and memory.outdoor_c is None and memory.started:
        integral_w -= loss * cold_k
    memory = replace(
        memory,
        at=now,
        filtered_c=filtered_c,
        outdoor_c=outdoor_c,
        learned=learned,
        heat_loss_w_per_k=loss,
        peak_shift_k=min(0.0, aim_c - room.target_c),
        frost=verdict.frost,
        over=verdict.limit is not None and verdict.limit.code in _TOO_WARM,
    )
    forward_w = max(0.0, loss * cold_k) - heat.gains_w
    blind_since = (memory.blind_since or now) if verdict.blind else 0.0
    memory = replace(memory, blind_since=blind_since)
    if verdict.limit is not None and verdict.limit.code is LimitCode.THERMOMETER_STALE:
        long = now - blind_since >= BLIND_LONG_S
        share = _BLIND_LONG_SHARE if long else _BLIND_SHARE
        held_w = max(0.0, forward_w + integral_w) * share
        return _with_demand(memory, min(held_w, share * heat.installed_w), integral_w)
    gain = GAIN * loss
    if verdict.frost and filtered_c is not None:
        frost_c = room.frost_c + _FROST_ABOVE_K
        against_w = loss * (frost_c - (outdoor_c if outdoor_c is not None else 0.0))
        against_w += 2 * gain * (frost_c - filtered_c)
        return _with_demand(memory, against_w, integral_w)
    if verdict.limit is not None or filtered_c is None:
        return _with_demand(memory, 0.0, integral_w)
    error_k = aim_c - filtered_c
    if not memory.started:
        if heat.heats:
            # Bumpless: what is delivered now is what the first decision wants.
            integral_w = heat.delivered_w - heat.gains_w - forward_w - gain * error_k
        memory = replace(memory, started=True)
    demand_w = forward_w + gain * error_k + integral_w
    # What a peak event or the back-up does to the room is nothing to learn from.
    ours = memory.peak_shift_k >= 0 and not room.backup_heats
    if ours and _follows(demand_w, heat, error_k):
        integral_w += gain * error_k * dt_s / INTEGRAL_S
    bound_w = max(heat.installed_w, forward_w)
    integral_w = min(max(integral_w, -bound_w), bound_w)
    held_w = forward_w + integral_w
    if memory.peak_shift_k < 0:
        # The room coasts down to its lowered target, and comes back without a leap.
        held_w *= min(1.0, max(0.0, 1.0 + error_k / _COASTS_K))
    return _with_demand(memory, held_w + gain * error_k, integral_w)


def _filtered(
    before: float | None, temp_c: float | None, dt_s: float, *, anew: bool
) -> float | None:
    if temp_c is None or before is None or anew:
        return before if temp_c is None else temp_c
    return before + (temp_c - before) * (1.0 - 1.0 / (1.0 + dt_s / FILTER_S))


def _follows(demand_w: float, heat: RoomHeat, error_k: float) -> bool:
    """Return whether the integral may move: never further away from what is delivered."""
    controlled_w = heat.delivered_w - heat.gains_w
    slack_w = max(_FOLLOWED_W, _FOLLOWED_SHARE * heat.installed_w)
    if error_k > 0:
        return demand_w <= controlled_w + slack_w
    return demand_w >= controlled_w - slack_w


def _with_demand(memory: RoomState, demand_w: float, integral_w: float) -> RoomState:
    return replace(memory, demand_w=demand_w, integral_w=integral_w)
