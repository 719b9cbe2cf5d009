"""What is wrong with an ASIC, each with a sentence for its owner."""

from collections.abc import Mapping
from typing import Final

from ..arbiter.asic.types import AsicState
from ..arbiter.effect import OFTEN, recent_failures
from ..errors import DeviceFault
from ..faults import Key
from ..wire.values import Activity, Effect
from .pools import Pools, what_changed
from .readings import disagree
from .station import Station

#: A machine that never answered is worth a word after so long.
_FIRST_S: Final = 60.0
#: A meter lags; only what lasts is told.
_DISAGREES_S: Final = 300.0


def unknown(station: Station, asics: Mapping[str, object], now: float) -> dict[Key, str]:
    """Return what is wrong with a machine that was not reached yet."""
    device, fault = station.device, station.fault
    if device is not None and device.uid in asics:
        text = f"{station.config.address} and another [[asic]] are one machine: remove one of them"
        return {("duplicate", None): text}
    if fault is None or now - station.fault_since < _FIRST_S:
        return {}
    return {(f"asic_{fault.code}", None): told(fault)}


def told(fault: DeviceFault) -> str:
    """Return a fault's sentence, and what to do about it where that is not plain."""
    if fault.code != "other_device":
        return fault.text
    return f"{fault.text}; if another machine is meant now, write its mac into the block"


def known(station: Station, state: AsicState, pools: Pools | None, now: float) -> dict[Key, str]:
    """Return what is wrong with a machine."""
    assert station.device is not None
    uid, name = station.device.uid, station.name
    wrong: dict[str, str] = {}
    if station.fault is not None and station.is_silent(now):
        wrong[station.fault.code] = f"{name} is silent: {told(station.fault)}"
    elif station.sample is not None:
        sample = station.sample
        wrong |= {one.code: f"{name}: {one.text}" for one in sample.faults}
        if sample.activity is Activity.FAULT and not sample.faults:
            wrong["machine_fault"] = f"{name} reports a fault"
        active = next((pool for pool in sample.pools if pool.active), None)
        if active is not None and active.connected is False:
            wrong["pool_lost"] = f"{name} has lost its pool: it does not heat"
        if pools is not None and (changed := what_changed(pools, sample.pools)):
            wrong["pool_changed"] = (
                f"{name}: {changed}; if that is right, say `hashcenter devices adopt {uid}`"
            )
    if station.refusal is not None:
        wrong[f"not_set_{station.refusal.code}"] = f"{name}: {station.refusal.text}"
    wrong |= _effect(name, state, now) | _gauge(station, now)
    return {(code, uid): text for code, text in wrong.items()}


def _effect(name: str, state: AsicState, now: float) -> dict[str, str]:
    track = state.track
    if track is None:
        return {}
    wrong = {}
    if track.effect is Effect.NO_EFFECT:
        wrong["no_effect"] = (
            f"{name} was set to {track.target_w:.0f} W, but its measured watts did not follow"
        )
    if recent_failures(track, now) >= OFTEN:
        wrong["no_effect_often"] = f"{name} did not follow its watts {OFTEN} times within a day"
    return wrong


def _gauge(station: Station, now: float) -> dict[str, str]:
    if station.gauge is None:
        return {}
    wrong = {}
    if station.gauge.fault is not None:
        wrong["meter_unreadable"] = f"{station.name}: {station.gauge.fault}"
    said_w, true_w = station.readings.reported_power_w, station.readings.power_w
    lasts = now - station.agreed_at > _DISAGREES_S
    if lasts and said_w is not None and true_w is not None and disagree(said_w, true_w):
        wrong["meter_disagrees"] = (
            f"{station.name} says {said_w:.0f} W, its meter {true_w:.0f} W: the meter counts"
        )
    return wrong
