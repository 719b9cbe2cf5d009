"""A rig's heaters as the house's rules are shown them: its inventory, its heartbeat, our books."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from ..control.leases import LeaseHeld, RigHeater, RigLive
from ..control.requests import HeaterKey
from ..control.seen import HeaterSeen, LeaseSeen, OutsideDemand, Pace
from ..rigs.rig import Rig
from ..wire.messages import Heater, HeaterState
from ..wire.values import Activity, DeviceKind, Favor
from .measured import Measured


@dataclass(frozen=True)
class Places:
    """Where heaters stand and what people want of them, apart from their rooms' wishes.

    `rooms` are the rooms that each heater warms now, the first of the plan first.
    """

    rooms: Mapping[HeaterKey, tuple[str, ...]] = field(default_factory=dict)
    circuits: Mapping[HeaterKey, str] = field(default_factory=dict)
    outside: Mapping[HeaterKey, OutsideDemand] = field(default_factory=dict)
    hands_off: Collection[HeaterKey] = ()
    hash_for_money: Collection[HeaterKey] = ()
    unreleased: Collection[str] = ()
    disputed: Collection[HeaterKey] = ()
    #: What a kWh of hashing on GPUs earns.
    gpu_hash_value_per_kwh: float | None = None


def heaters_seen(
    rig: Rig, places: Places, measured: Measured, controller: str
) -> Iterable[HeaterSeen]:
    """Return the rig's heaters; those of a rig that is away as they were last heard of."""
    for key, heater in measured.facts(rig.rig_id).items():
        yield _seen(rig, key, heater, places, measured, controller)


def _seen(
    rig: Rig,
    key: HeaterKey,
    heater: Heater,
    places: Places,
    measured: Measured,
    controller: str,
) -> HeaterSeen:
    live, state = rig.live, rig.heater_state(heater.id)
    online = live is not None and state is not None
    doing = {one.activity for uid in heater.devices if (one := rig.device(uid)) is not None}
    inference = live.inference if live is not None and heater.can_answer else None
    rooms = places.rooms.get(key, ())
    held = lease_held(state, controller)
    return HeaterSeen(
        key=key,
        name=heater.name,
        pace=Pace.FAST if heater.starts_per_day is None else Pace.SLOW,
        room=rooms[0] if rooms else None,
        also_rooms=rooms[1:],
        circuit=places.circuits.get(key),
        idle_w=heater.idle_w,
        min_w=heater.min_w,
        max_w=heater.max_w,
        unattended_w=heater.unattended_w,
        boot_peak_w=heater.boot_peak_w,
        step_w=heater.step_w,
        settle_s=max(heater.settle_s, heater.start_s),
        can_hash=heater.can_hash,
        can_answer=heater.can_answer,
        online=online,
        controllable=takes_requests(rig, controller)
        and rig.rig_id not in places.unreleased
        and key not in places.disputed,
        available_w=state.available_w if state else 0.0,
        available_why=state.available_why if state else "",
        power_w=state.power_w if state else None,
        mean_w=measured.mean_w(key) if online else None,
        possible_w=state.possible_w if state else None,
        fan_percent=max(_fans(rig, heater), default=None),
        hashing=Activity.HASHING in doing,
        starting=Activity.STARTING in doing,
        questions=inference.waiting + inference.answering if inference else 0,
        effect=state.effect if state else None,
        lease=LeaseSeen(held.power_w, held.cap_w) if held else None,
        # A change by the vendor's own means is a person's, too.
        hands_off=key in places.hands_off or bool(state and state.hold_s),
        outside=places.outside.get(key),
        may_hash_for_money=key in places.hash_for_money,
        j_per_th=measured.j_per_th(key),
        hash_value_per_kwh=None if _is_asic(rig, heater) else places.gpu_hash_value_per_kwh,
        tokens_per_joule=inference.tokens_per_joule if inference else None,
    )


def _fans(rig: Rig, heater: Heater) -> list[float]:
    """Return how fast the heater's fans turn, in percent, as far as its devices tell."""
    states = [rig.device(uid) for uid in heater.devices]
    told = [one.fan_percent for one in states if one is not None]
    return [fan for fan in told if fan is not None]


def _is_asic(rig: Rig, heater: Heater) -> bool:
    described = rig.described(heater.devices[0]) if heater.devices else None
    return described is not None and described.kind == DeviceKind.ASIC


def lease_held(state: HeaterState | None, controller: str) -> LeaseHeld | None:
    """Return the lease of ours that a heater follows."""
    lease = state.lease if state else None
    if lease is None or lease.controller != controller:
        return None
    favor = lease.favor if isinstance(lease.favor, Favor) else Favor.BALANCED
    return LeaseHeld(lease.power_w, lease.cap_w, favor, lease.dark)


def takes_requests(rig: Rig, controller: str) -> bool:
    """Return whether a live rig follows this house: allowed, not stopped, not another house's."""
    live = rig.live
    return (
        live is not None
        and rig.controllable
        and not live.stopped
        and live.controller in (None, controller)
    )


def rig_live(rig: Rig, controller: str, disputed: Collection[HeaterKey] = ()) -> RigLive | None:
    """Return what has to be known of a rig to say something to it, None unless it is live.

    Nothing is said about a disputed heater.
    """
    live, inventory = rig.live, rig.inventory
    if live is None:
        return None
    if inventory is None:
        return RigLive(rig.rig_id, live.boot_id, False, live.stopped, 0.0)
    return RigLive(
        id=rig.rig_id,
        boot_id=live.boot_id,
        controllable=rig.controllable,
        stopped=live.stopped,
        max_ttl_s=inventory.max_ttl_s,
        heaters=tuple(
            RigHeater(heater.id, heater.max_w, lease_held(rig.heater_state(heater.id), controller))
            for heater in inventory.heaters
            if HeaterKey(rig.rig_id, heater.id) not in disputed
        ),
    )
