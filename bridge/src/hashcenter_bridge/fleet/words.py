"""Draws the ASICs in the words of the wire: each a heater and a device of its own."""

from collections.abc import Iterable

from ..arbiter.asic.knob import Knob
from ..arbiter.asic.types import AsicRules
from ..arbiter.types import Lease
from ..wire.messages import Device, DeviceState, Heater, HeaterState, LeaseInForce
from ..wire.values import Activity, PowerSource, Readings
from .fleet import Asic

#: What is known of every machine without asking it.
_ALWAYS = ("energy_kwh", "joules_per_terahash", "pool", "pool_connected", "uptime_s")


def heater(asic: Asic) -> Heater:
    """Return the heater that an ASIC is, in watts at the wall."""
    can, config = asic.device.capabilities, asic.station.config
    knob = Knob(can, asic.state.ratios)
    low_w, high_w = asic.range_w or (knob.min_w, knob.max_w)
    # Without a word of its owner: whatever its own setting may be.
    unattended_w = config.unattended_w
    if unattended_w is None:
        unattended_w = max(high_w, knob.nominal_w)
    return Heater(
        id=asic.heater,
        name=asic.station.name,
        devices=(asic.uid,),
        idle_w=_rounded(min(knob.idle_w, low_w)),
        min_w=_rounded(low_w),
        max_w=_rounded(high_w),
        unattended_w=_rounded(unattended_w),
        boot_peak_w=config.boot_peak_w,
        step_w=_rounded(knob.step_w),
        settle_s=can.settle_s,
        start_s=can.start_s,
        starts_per_day=asic.rules.starts_per_day,
        can_hash=is_controlled(asic.rules, can.can_pause, knob),
    )


def is_controlled(rules: AsicRules, can_pause: bool, knob: Knob) -> bool:  # noqa: FBT001
    """Return whether it can ever be asked for heat."""
    return not rules.hands_off and (can_pause or knob.exists)


def device(asic: Asic) -> Device:
    """Return the machine with its owner's name and what its readings really are."""
    found = asic.device
    can = found.capabilities
    fields = dict.fromkeys((*can.readings, *_ALWAYS))
    if can.power_limit:
        fields["power_limit_w"] = None
    if can.percent:
        fields["power_percent"] = None
    if can.steps:
        fields["step"] = None
    if asic.station.gauge is not None:
        fields |= dict.fromkeys(("power_w", "reported_power_w"))
    known = tuple(name for name in fields if name in Readings.model_fields)
    return found.model_copy(
        update={
            "name": asic.station.name,
            "capabilities": can.model_copy(update={"readings": known}),
        }
    )


def heater_state(asic: Asic, now: float) -> HeaterState:
    """Return what the heater does now, and what could be asked of it."""
    wanted = asic.wanted
    silent = asic.station.is_silent(now)
    state = HeaterState(
        id=asic.heater,
        power_w=None if silent else _rounded_or_none(asic.station.readings.power_w),
        lease=lease_in_force(asic.state.lease, now),
    )
    if wanted is None:
        return state
    return state.model_copy(
        update={
            "target_w": _rounded_or_none(wanted.target_w),
            "effect": wanted.effect,
            "reason": wanted.reason[:400],
            "available_w": float(round(wanted.available_w)),
            "available_why": wanted.available_why[:400],
            "starts_left": wanted.starts_left,
            "hold_s": None if wanted.hold_s is None else float(round(wanted.hold_s)),
        }
    )


def lease_in_force(lease: Lease | None, now: float) -> LeaseInForce | None:
    """Return a lease as it is told, None for one that is over."""
    phase = lease.phase(now) if lease else None
    if lease is None or phase is None:
        return None
    end = lease.ends_at if now < lease.ends_at else lease.safe_at
    return LeaseInForce(
        controller=lease.controller,
        power_w=lease.power_w,
        cap_w=lease.cap_w,
        favor=lease.favor,
        dark=lease.dark,
        phase=phase,
        remaining_s=round(end - now),
    )


def activity(asic: Asic, now: float) -> Activity:
    """Return what it does. One that is silent is in fault: what it does is not known."""
    sample = asic.station.sample
    if sample is None or asic.station.is_silent(now):
        return Activity.FAULT
    return sample.activity


def device_state(asic: Asic, boot_id: str, now: float) -> DeviceState:
    """Return the machine as its topic shows it; what is too old is missing, with the reason."""
    station, wanted = asic.station, asic.wanted
    readings = station.readings
    if station.is_silent(now):
        why = station.fault.text if station.fault else "it has not answered for too long"
        kwh = station.meter.kwh if station.meter else None
        readings = Readings(energy_kwh=kwh, missing={"power_w": why[:400]})
    return DeviceState.model_construct(
        **{
            **{name: getattr(readings, name) for name in readings.model_fields_set},
            "power_w": _rounded_or_none(readings.power_w),
            "energy_kwh": _rounded_or_none(readings.energy_kwh, 4),
        },
        boot_id=boot_id,
        activity=activity(asic, now),
        target_w=_rounded_or_none(wanted.target_w) if wanted else None,
        since_s=round(now - wanted.since) if wanted and wanted.since is not None else None,
        effect=wanted.effect if wanted else None,
        reason=wanted.reason[:400] if wanted else "",
    )


def is_told(asic: Asic, now: float) -> bool:
    """Return whether there is anything to say of it: not before the first look after a start."""
    return asic.station.sample is not None or asic.station.is_silent(now)


def total_w(asics: Iterable[Asic], now: float) -> float | None:
    """Return what all ASICs draw together, None while one that answers does not say.

    One that is silent is left out: it may be unplugged, and what it may draw is its circuit's.
    """
    heard = [
        asic.station.readings.power_w
        for asic in asics
        if asic.station.sample is not None
        and not asic.station.is_silent(now)
        and asic.device.capabilities.power_source != PowerSource.NONE
    ]
    known = [power_w for power_w in heard if power_w is not None]
    return sum(known) if len(known) == len(heard) else None


def _rounded(value: float) -> float:
    return round(value, 1)


def _rounded_or_none(value: float | None, digits: int = 1) -> float | None:
    return None if value is None else round(value, digits)
