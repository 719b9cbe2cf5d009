"""What the house's rules are shown: Home Assistant's entities, rigs and wishes as a HouseSeen.

Built anew for every decision, from the plan (plan.py), entities (reading.py), what rigs say
(rig_seen.py) and what people want. Nothing is remembered here.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import time
from math import inf
from typing import Final

from homeassistant.components.climate import ClimateEntityStateAttribute, HVACAction, HVACMode
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util

from ..control.people import People
from ..control.requests import HeaterKey, HeatRequest
from ..control.seen import (
    CircuitSeen,
    HouseSeen,
    Meter,
    MoneySeen,
    OutsideDemand,
    PeakEvent,
    Quiet,
    RoomSeen,
    Thermometer,
)
from ..control.tiers import price_per_kwh
from ..control.tilt import is_within
from ..control.wishes import RoomWish
from ..rigs.rig import Rig
from .measured import Measured
from .plan import CircuitPlan, HousePlan, MoneyPlan, QuietPlan, RoomPlan
from .reading import Readings
from .rig_seen import Places, heaters_seen

_HEATS: Final = (HVACAction.HEATING, HVACAction.PREHEATING)
#: The sun does not stand still for longer; a sensor that says nothing new is dead.
_SURPLUS_STALE_S: Final = 900.0
_HEATING_MODES: Final = (HVACMode.HEAT, HVACMode.HEAT_COOL, HVACMode.AUTO)


def house_seen(
    hass: HomeAssistant,
    plan: HousePlan,
    rigs: Iterable[Rig],
    people: People,
    wishes: Mapping[str, RoomWish],
    places: Places,
    measured: Measured,
    controller: str,
    used_kwh: float,
    readings: Readings,
    now: float,
) -> HouseSeen:
    """Return what the rules are shown at `now`; `wishes` are what holds of each planned room.

    `used_kwh` is what the house used today, for a tariff in steps.
    """
    clock = dt_util.as_local(dt_util.utc_from_timestamp(now)).time()
    return HouseSeen(
        rooms=tuple(
            _room(hass, room, wishes[room.id], readings, clock) for room in plan.rooms.values()
        ),
        heaters=tuple(
            heater for rig in rigs for heater in heaters_seen(rig, places, measured, controller)
        ),
        circuits=tuple(_circuit(circuit, readings) for circuit in plan.circuits.values()),
        outdoor=readings.thermometer(plan.outdoor) if plan.outdoor else Thermometer(None),
        money=_money(plan.money, used_kwh, readings, now),
        favor=people.favor,
        stop_all=people.stopped,
    )


def places_of(
    plan: HousePlan, people: People, readings: Readings, disputed: Collection[HeaterKey] = ()
) -> Places:
    """Return where heaters stand now, and what is asked of each by itself."""
    return Places(
        rooms=warmed_rooms(plan.rooms.values(), readings),
        circuits={key: one.id for one in plan.circuits.values() for key in one.heaters},
        outside={key: _outside(one, readings) for key, one in people.requests.items()},
        hands_off=people.hands_off,
        hash_for_money=people.hash_for_money,
        unreleased=people.unreleased,
        disputed=disputed,
        gpu_hash_value_per_kwh=plan.money.gpu_hash_value_per_kwh,
    )


def warmed_rooms(
    rooms: Iterable[RoomPlan], readings: Readings
) -> Mapping[HeaterKey, tuple[str, ...]]:
    """Return the rooms that each heater warms now: none while every damper of it is closed.

    A damper that does not answer counts as open: then the room's own limits hold.
    """
    found: dict[HeaterKey, tuple[str, ...]] = {}
    for room in rooms:
        if room.damper is not None and readings.is_on(room.damper) is False:
            continue
        for key in room.heaters:
            found[key] = (*found.get(key, ()), room.id)
    return found


def _room(
    hass: HomeAssistant, room: RoomPlan, wish: RoomWish, readings: Readings, clock: time
) -> RoomSeen:
    windows = {window: readings.is_on(window) for window in room.windows}
    for window, is_open in windows.items():
        if is_open is None and hass.states.get(window) is not None:
            readings.note(window, f"does not say whether it is open; {room.name} is heated")
    return RoomSeen(
        id=room.id,
        name=room.name,
        mode=wish.mode,
        target_c=wish.target_c,
        thermometer=readings.thermometer(room.thermometer),
        outdoor=readings.thermometer(room.outdoor) if room.outdoor else None,
        windows_open=any(windows.values()),
        frost_c=room.frost_c,
        high_c=room.high_c,
        ceiling_c=room.ceiling_c,
        child=room.child,
        quiet=_quiet(room.quiet, clock),
        heat_loss_w_per_k=room.heat_loss_w_per_k,
        backup_heats=room.backup is not None and backup_heats(hass, room.backup),
    )


def backup_heats(hass: HomeAssistant, entity_id: str) -> bool:
    """Return whether a climate entity heats now, as far as it says what it does."""
    if (state := hass.states.get(entity_id)) is None:
        return False
    action = state.attributes.get(ClimateEntityStateAttribute.HVAC_ACTION)
    return action in _HEATS if action is not None else state.state in _HEATING_MODES


def _quiet(quiet: QuietPlan | None, clock: time) -> Quiet | None:
    """Return the quiet schedule's word at a local time: the clock on the wall, DST or not."""
    if quiet is None:
        return None
    begins, ends = time.fromisoformat(quiet.start), time.fromisoformat(quiet.end)
    if not is_within(clock, begins, ends):
        return None
    return Quiet(inf if quiet.max_w is None else quiet.max_w, quiet.max_fan_percent)


def _circuit(circuit: CircuitPlan, readings: Readings) -> CircuitSeen:
    meter = None
    if circuit.meter is not None:
        meter = Meter(*readings.watts(circuit.meter), counts_heaters=circuit.meter_counts_heaters)
    return CircuitSeen(
        id=circuit.id,
        name=circuit.name,
        volts=circuit.volts,
        amps=circuit.amps,
        parent=circuit.parent,
        others_w=circuit.others_w,
        meter=meter,
        tripped=circuit.tripped is not None and readings.is_on(circuit.tripped),
    )


def _outside(request: HeatRequest, readings: Readings) -> OutsideDemand:
    named = request.thermometer
    return OutsideDemand(
        power_w=request.power_w,
        until=request.until,
        high_limit_c=request.high_limit_c,
        thermometer=readings.thermometer(named) if named else None,
    )


def _money(money: MoneyPlan, used_kwh: float, readings: Readings, now: float) -> MoneySeen:
    price = readings.price_per_kwh(money.price_entity) if money.price_entity else None
    value = None
    if money.hash_value_entity:
        value = readings.value_per_th_day(money.hash_value_entity, money.bitcoin_price_entity)
    surplus_w, age_s = readings.watts(money.surplus_entity) if money.surplus_entity else (None, 0.0)
    return MoneySeen(
        price_per_kwh=price_per_kwh(
            money.tiers, used_kwh, entity=price, figure=money.price_per_kwh
        ),
        hash_value_per_th_day=money.hash_value_per_th_day if value is None else value,
        inference_value_per_mtoken=money.inference_value_per_mtoken,
        solo=money.solo,
        alternative_cop=money.alternative_cop,
        alternative_price_per_kwh=money.alternative_price_per_kwh,
        peak=_peak(money.peak_entity, readings, now) if money.peak_entity else None,
        on_generator=_on_generator(money, readings),
        surplus_w=surplus_w if age_s <= _SURPLUS_STALE_S else None,
    )


def _on_generator(money: MoneyPlan, readings: Readings) -> bool | None:
    """Return whether the house runs on a generator; None while its entity is silent."""
    if money.generator_entity is None:
        return False
    runs = readings.is_on(money.generator_entity)
    if runs is None:
        what = "does not say whether the house runs on it; what it said last still holds"
        readings.note(money.generator_entity, what)
    return runs


def _peak(entity_id: str, readings: Readings, now: float) -> PeakEvent | None:
    """Return the peak-price event that runs or comes."""
    is_on, starts_at = readings.is_on(entity_id), readings.starts_at(entity_id)
    if is_on:
        return PeakEvent(active=True)
    if starts_at is None:
        return None if is_on is None else PeakEvent(active=False)
    starts_in_s = starts_at.timestamp() - now
    # A moment alone says nothing about the end: an event that has begun is its entity's to say.
    return PeakEvent(active=False, starts_in_s=starts_in_s if starts_in_s > 0 else None)
