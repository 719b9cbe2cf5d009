"""Rigs to put before the arbiter, and a rig that does at once what it is told."""

from dataclasses import replace
from typing import Any

from hashcenter_bridge.arbiter import leases
from hashcenter_bridge.arbiter.decide import decide
from hashcenter_bridge.arbiter.types import (
    DeviceSeen,
    MinerSeen,
    ProgramWanted,
    Rules,
    RunnerSeen,
    Running,
    Seen,
    State,
    TicketSeen,
    Wanted,
)
from hashcenter_bridge.wire.values import Favor

VOICE, TASK, BATCH = 0, 1, 2


def rules(**changes: Any) -> Rules:
    """Return an owner's rules: control is on, and the power supply loses nothing."""
    return replace(Rules(heater="rig", max_w=1500.0, allow_control=True), **changes)


def gpu(uid: str = "gpu0", **changes: Any) -> DeviceSeen:
    """Return an RTX 3090 that rests."""
    card = DeviceSeen(
        uid=uid,
        idle_w=25.0,
        min_w=100.0,
        max_w=350.0,
        adjustable=True,
        power_w=25.0,
        limit_w=350.0,
        temp_c=50.0,
        age_s=0.5,
    )
    return replace(card, **changes)


def miner(name: str = "miner", *devices: str, **changes: Any) -> MinerSeen:
    """Return a miner of the bridge that hashes on `devices`, else on gpu0."""
    seen = MinerSeen(
        name=name, devices=devices or ("gpu0",), owned=True, running=Running.ACTIVE,
        pool_connected=True, hash_rate_hs=1e6,
    )  # fmt: skip
    return replace(seen, **changes)


def runner(name: str = "runner", *devices: str, **changes: Any) -> RunnerSeen:
    """Return a runner with one slot that is ready on `devices`, else on gpu0."""
    seen = RunnerSeen(
        name=name, devices=devices or ("gpu0",), running=Running.ACTIVE, slots=1, models=("llama",)
    )
    return replace(seen, **changes)


def ticket(number: int = 1, priority: int = VOICE, **changes: Any) -> TicketSeen:
    """Return a question that was asked at second 0."""
    return replace(TicketSeen(id=number, priority=priority, opened_at=0.0), **changes)


def leased(
    power_w: float,
    *,
    cap_w: float | None = None,
    ttl_s: float = 300.0,
    favor: Favor = Favor.BALANCED,
    owner: Rules | None = None,
) -> State:
    """Return the state of a rig that was leased at second 0."""
    return State(
        lease=leases.granted(
            (owner or rules()).coast_s, 0.0, controller="house", power_w=power_w, cap_w=cap_w,
            ttl_s=ttl_s, favor=favor,
        )
    )  # fmt: skip


def rig(
    *,
    devices: tuple[DeviceSeen, ...] | None = None,
    miners: tuple[MinerSeen, ...] | None = None,
    runners: tuple[RunnerSeen, ...] = (),
    tickets: tuple[TicketSeen, ...] = (),
) -> Seen:
    """Return a rig: one GPU and a miner on it, unless it is told otherwise."""
    return Seen(
        devices=(gpu(),) if devices is None else devices,
        miners=(miner(),) if miners is None else miners,
        runners=runners,
        tickets=tickets,
    )


def answering_rig(*tickets: TicketSeen, **changes: Any) -> Seen:
    """Return a rig whose GPU is shared by a miner and a runner."""
    return replace(rig(runners=(runner(),), tickets=tickets), **changes)


def obeyed(seen: Seen, wanted: Wanted) -> Seen:
    """Return `seen` after all was done at once: limits set, programs told, watts followed."""
    miners = tuple(
        replace(one, running=_told(one.running, wanted.miners[one.name])) for one in seen.miners
    )
    hashing = {
        uid for one in miners if one.running in (Running.ACTIVE, Running.STOPPING)
        for uid in one.devices
    }  # fmt: skip
    devices = []
    for device in seen.devices:
        limit_w = wanted.devices[device.uid].limit_w
        enforced_w = device.limit_w if limit_w is None else limit_w
        power_w = device.idle_w
        if device.uid in hashing:
            power_w = enforced_w if enforced_w is not None else device.max_w
        devices.append(replace(device, limit_w=enforced_w, power_w=power_w))
    tickets = tuple(
        replace(one, runner=one.runner or wanted.tickets[one.id].runner)
        for one in seen.tickets
        if one.runner or wanted.tickets[one.id].code is None
    )
    runners = tuple(
        replace(one, running=_told(one.running, wanted.runners[one.name])) for one in seen.runners
    )
    return Seen(tuple(devices), miners, runners, tickets)


def _told(running: Running, wanted: ProgramWanted) -> Running:
    if wanted.running is None or running is Running.FAILED:
        return running
    if wanted.running is Running.PAUSED and running not in (Running.ACTIVE, Running.PAUSED):
        return running
    return wanted.running


class Told:
    """A rig under the arbiter: each `step` shows it `seen` at a moment and keeps the decision."""

    def __init__(self, state: State | None = None, owner: Rules | None = None) -> None:
        self.state = state or State()
        self.rules = owner or rules()

    def step(self, seen: Seen, now: float) -> Wanted:
        """Return the decision at second `now`."""
        self.state, wanted = decide(self.state, seen, self.rules, now)
        return wanted

    def settle(self, seen: Seen, *, since: float, until: float) -> tuple[Seen, Wanted]:
        """Show it second by second a rig that does what it is told."""
        now = since
        wanted = self.step(seen, now)
        while now < until:
            now += 1.0
            seen = obeyed(seen, wanted)
            wanted = self.step(seen, now)
        return seen, wanted
