"""Draws the rig in the words of the wire: inventory, state and devices, as known now."""

from . import possible
from .answering import inference
from .arbiter.allocate import floor_w, wall_w
from .arbiter.types import Running
from .fleet import words
from .metering import Watched
from .rig import Rig
from .wire.messages import (
    DeviceState,
    Endpoint,
    Heater,
    HeaterState,
    Inventory,
    RigState,
    Runner,
)
from .wire.values import Activity, DeviceKind
from .wire.version import MIN_PROTOCOL, PROTOCOL

MAX_TTL_S = 900.0


def inventory(rig: Rig) -> Inventory:
    """Return what the rig consists of and what its owner allows."""
    config = rig.config.rig
    return Inventory(
        boot_id=rig.boot_id,
        protocol=PROTOCOL,
        min_protocol=MIN_PROTOCOL,
        version=rig.version,
        name=config.name or config.id,
        allow_control=config.allow_control,
        control_refused=rig.control_refused,
        exposed=rig.config.exposed,
        signed_requests=rig.config.mqtt.signed_requests,
        max_ttl_s=MAX_TTL_S,
        coast_s=config.coast_s,
        heaters=(*_machine(rig), *(words.heater(asic) for asic in rig.fleet.asics.values())),
        devices=(
            *(watched.device for watched in rig.metering.watched.values()),
            *(words.device(asic) for asic in rig.fleet.asics.values()),
        ),
        runners=tuple(
            Runner(
                name=program.runner.name,
                plugin=program.runner.plugin,
                models=program.runner.models,
            )
            for program in rig.runners
        ),
        endpoint=Endpoint(url=rig.url) if rig.url and rig.runners else None,
    )


def _machine(rig: Rig) -> tuple[Heater, ...]:
    """All GPUs and the CPU of this machine together, in watts at the wall, if it has any."""
    if not rig.metering.watched:
        return ()
    devices = rig.metering.seen(rig.clock())
    hashing = [program.miner.gpus for program in rig.miners if program.miner.gpus]
    idle_w = wall_w(sum(device.idle_w for device in devices), rig.rules)
    nameplate_w = wall_w(
        sum(
            possible.nameplate_w(watched.device.capabilities)
            for watched in rig.metering.watched.values()
        ),
        rig.rules,
    )
    unattended_w = rig.config.rig.unattended_w
    heater = Heater(
        id=rig.rules.heater,
        name=rig.config.rig.name or rig.config.rig.id,
        devices=tuple(rig.metering.watched),
        idle_w=round(idle_w, 1),
        min_w=round(floor_w(devices, hashing, rig.rules) or idle_w, 1),
        max_w=round(min(rig.rules.max_w, nameplate_w), 1),
        unattended_w=round(nameplate_w if unattended_w is None else unattended_w, 1),
        settle_s=max((device.settle_s for device in devices), default=30.0),
        can_hash=bool(hashing),
        can_answer=bool(rig.runners),
    )
    return (heater,)


def activity(rig: Rig, watched: Watched) -> Activity:
    """Return what a device is doing: answering before hashing before the rest."""
    if watched.fault is not None:
        return Activity.FAULT
    uid = watched.device.uid
    busy = {ticket.runner for ticket in rig.tickets.open.values() if ticket.runner}
    runners = [
        one
        for one in rig.runners
        if _runs_on(one.runner.gpus, watched) and not one.runner.upstream.elsewhere
    ]
    if any(one.runner.name in busy for one in runners):
        return Activity.ANSWERING
    miners = [one.running for one in rig.miners if _runs_on(one.miner.gpus, watched)]
    for running, result in (
        (Running.ACTIVE, Activity.HASHING),
        (Running.STOPPING, Activity.HASHING),
        (Running.STARTING, Activity.STARTING),
        (Running.PAUSED, Activity.PAUSED),
    ):
        if running in miners:
            return result
    if any(one.running is Running.STARTING for one in runners):
        return Activity.STARTING
    return Activity.OFF if rig.state.stopped and uid else Activity.IDLE


def _runs_on(gpus: tuple[str, ...], watched: Watched) -> bool:
    return watched.device.uid in gpus or (not gpus and watched.device.kind == DeviceKind.CPU)


def device_states(rig: Rig) -> dict[str, DeviceState]:
    """Return every device as its topic shows it, readings rounded to what they are worth."""
    states = {}
    now = rig.clock()
    for uid, watched in rig.metering.watched.items():
        wanted = rig.wanted.devices.get(uid) if rig.wanted else None
        readings = watched.readings
        state = DeviceState.model_construct(
            **{name: getattr(readings, name) for name in readings.model_fields_set},
            boot_id=rig.boot_id,
            activity=activity(rig, watched),
            reason=wanted.reason[:400] if wanted else "",
            target_w=None if wanted is None else _rounded(wanted.target_w),
            effect=wanted.effect if wanted else None,
            since_s=round(now - wanted.since) if wanted and wanted.since is not None else None,
        )
        states[uid] = state.model_copy(
            update={
                "power_w": _rounded(readings.power_w),
                "power_limit_w": _rounded(readings.power_limit_w),
                "energy_kwh": _rounded(readings.energy_kwh, 4),
                "temp_c": _rounded(readings.temp_c, 0),
            }
        )
    for uid, asic in rig.fleet.asics.items():
        if words.is_told(asic, now):
            states[uid] = words.device_state(asic, rig.boot_id, now)
    return states


def rig_state(rig: Rig, devices: dict[str, DeviceState]) -> RigState:
    """Return the heartbeat."""
    now = rig.clock()
    machine_w = _machine_w(rig)
    asics = rig.fleet.asics
    asics_w = words.total_w(asics.values(), now)
    power_w = None if machine_w is None or asics_w is None else machine_w + asics_w
    by_activity = {Activity.HASHING: 0.0, Activity.ANSWERING: 0.0}
    for uid, state in devices.items():
        if state.activity in by_activity and state.power_w is not None:
            behind = 1.0 if uid in asics else rig.rules.psu_efficiency
            by_activity[Activity(state.activity)] += state.power_w / behind
    hashing_w, answering_w = by_activity[Activity.HASHING], by_activity[Activity.ANSWERING]
    activities = {state.activity for state in devices.values()}
    known = power_w is not None
    hash_rate_hs = _hash_rate_hs(rig)
    missing = {} if known else {"power_w": "a device does not say what it draws"}
    if (rig.miners or asics) and hash_rate_hs is None:
        missing["hash_rate_mhs"] = "a miner does not say its hash rate"
    return RigState(
        boot_id=rig.boot_id,
        tick=round(now, 1),
        activity=next(
            (
                one
                for one in (Activity.ANSWERING, Activity.HASHING, Activity.STARTING)
                if one in activities
            ),
            Activity.OFF if rig.state.stopped else Activity.IDLE,
        ),
        voice=tuple(one.shown for one in rig.voices),
        power_w=_rounded(power_w),
        energy_kwh=_rounded(rig.metering.rig_kwh, 4),
        hashing_w=_rounded(hashing_w) if known else None,
        answering_w=_rounded(answering_w) if known else None,
        idle_w=_rounded(max(0.0, power_w - hashing_w - answering_w))
        if power_w is not None
        else None,
        hash_rate_mhs=None if hash_rate_hs is None else round(hash_rate_hs / 1e6, 3),
        shares_accepted_total=rig.answers.totals.shares if rig.miners or asics else None,
        stopped=rig.state.stopped,
        controller=rig.store.kept.controller,
        heaters=(
            *((_heater_state(rig, machine_w, now),) if rig.metering.watched else ()),
            *(words.heater_state(asic, now) for asic in asics.values()),
        ),
        inference=inference(rig),
        faults=rig.faults.list(now),
        health=rig.health,
        missing=missing,
    )


def _machine_w(rig: Rig) -> float | None:
    """Return what this machine draws at the wall; a box that measures nothing of itself: 0."""
    if not rig.metering.watched:
        return 0.0
    devices_w = rig.metering.devices_w()
    return None if devices_w is None else wall_w(devices_w, rig.rules)


def _hash_rate_hs(rig: Rig) -> float | None:
    """Return the hash rate of all miners, None while one of them hashes and does not say."""
    total_hs = 0.0
    for program in rig.miners:
        runs = program.running not in (Running.STOPPED, Running.STARTING)
        if program.child is not None and program.running is Running.FAILED:
            continue
        if not runs or (program.reading and program.reading.paused):
            continue
        if program.reading is None or program.reading.hash_rate_hs is None:
            return None
        total_hs += program.reading.hash_rate_hs
    now = rig.clock()
    for asic in rig.fleet.asics.values():
        if words.activity(asic, now) is not Activity.HASHING:
            continue
        rate_mhs = asic.station.readings.hash_rate_mhs
        if rate_mhs is None:
            return None
        total_hs += rate_mhs * 1e6
    return total_hs if rig.miners or rig.fleet.asics else None


def _heater_state(rig: Rig, power_w: float | None, now: float) -> HeaterState:
    wanted = rig.wanted.heater if rig.wanted else None
    return HeaterState(
        id=rig.rules.heater,
        power_w=_rounded(power_w),
        possible_w=_rounded(possible.possible_w(rig, now)),
        target_w=_rounded(wanted.target_w) if wanted else None,
        effect=wanted.effect if wanted else None,
        reason=wanted.reason[:400] if wanted else "",
        available_w=round(wanted.available_w, 1) if wanted else 0.0,
        available_why=wanted.available_why[:400] if wanted else "",
        lease=words.lease_in_force(rig.state.lease, now),
    )


def _rounded(value: float | None, digits: int = 1) -> float | None:
    return None if value is None else round(value, digits)
