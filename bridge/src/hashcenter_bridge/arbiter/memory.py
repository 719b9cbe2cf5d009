"""Which miners and models have room beside each other, on every GPU that they share.

What a program needs is what it was seen to hold, what its owner says, or what a model's file says.
Where one need is unknown the two are tried together: a program that finds too little memory ends by
itself, and what was seen then decides for an hour. Nothing here looks at a GPU that two programs do
not share.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from .people import shares_device
from .types import DeviceSeen, MinerSeen, RunnerSeen, Running, Seen, State

#: Kept free on each GPU: what drivers and libraries take besides.
MARGIN_MIB: Final = 256.0
#: So much more room must be there before two are together again.
_CALM_MIB: Final = 256.0
_TRIED_S: Final = 3600.0
#: A model is loaded after so long even if memory was not given back: it says best what it lacks.
WAIT_S: Final = 30.0
_GIB: Final = 1024.0


def settle(state: State, seen: Seen, now: float) -> State:
    """Return the state with who must be apart now, and who was seen to have too little memory."""
    tried = {pair: until for pair, until in state.tried.items() if until > now}
    for runner in seen.runners:
        for miner in seen.miners:
            if _may_share(runner, miner) and _lacked_memory(runner, miner):
                tried.setdefault((runner.name, miner.name), now + _TRIED_S)
    state = replace(state, tried=tried)
    return replace(state, apart=_apart(state, seen))


def _may_share(runner: RunnerSeen, miner: MinerSeen) -> bool:
    return runner.by_memory and bool(miner.devices) and shares_device(runner, miner)


def _lacked_memory(runner: RunnerSeen, miner: MinerSeen) -> bool:
    """Return whether one of them ended because of the other, as far as it can be told.

    A model that fails beside a miner of unknown size may have failed for that: people go first.
    """
    in_memory = (Running.STARTING, Running.ACTIVE, Running.PAUSED)
    if runner.running is Running.FAILED and miner.running in in_memory:
        shared = set(runner.devices) & set(miner.devices)
        unknown = any(uid not in runner.needs or uid not in miner.needs for uid in shared)
        return unknown or _says_so(runner.why)
    return miner.running is Running.FAILED and runner.running in in_memory and _says_so(miner.why)


def _says_so(why: str) -> bool:
    return "out of memory" in why.lower()


def _apart(state: State, seen: Seen) -> frozenset[tuple[str, str]]:
    """Return the pairs of runner and miner that are never in memory together."""
    devices = {device.uid: device for device in seen.devices}
    pairs: set[tuple[str, str]] = set()
    for miner in seen.miners:
        rooms = {uid: _room_mib(devices.get(uid)) for uid in miner.devices}
        for runner in seen.runners:
            if not shares_device(runner, miner):
                continue
            pair = (runner.name, miner.name)
            if runner.exclusive or (_may_share(runner, miner) and pair in state.tried):
                pairs.add(pair)
                continue
            calm_mib = _CALM_MIB if pair in state.apart else 0.0
            if runner.by_memory and not _fits(runner, miner, rooms, calm_mib):
                pairs.add(pair)
                continue
            for uid, room_mib in rooms.items():
                if room_mib is not None:
                    rooms[uid] = room_mib - runner.needs.get(uid, 0.0)
    return frozenset(pairs)


def _fits(
    runner: RunnerSeen, miner: MinerSeen, rooms: Mapping[str, float | None], calm_mib: float
) -> bool:
    """Return whether both have room on every GPU that they share; unknown needs are tried."""
    for uid in set(runner.devices) & set(miner.devices):
        room_mib = rooms.get(uid)
        needs = runner.needs.get(uid), miner.needs.get(uid)
        if room_mib is None or needs[0] is None or needs[1] is None or not needs[1]:
            continue
        if needs[0] + needs[1] + calm_mib > room_mib:
            return False
    return True


def _room_mib(device: DeviceSeen | None) -> float | None:
    if device is None or device.memory_mib is None:
        return None
    return device.memory_mib - (device.strangers_mib or 0.0) - MARGIN_MIB


def no_room(state: State, seen: Seen) -> Mapping[str, str]:
    """Return the miners that cannot hash whatever gives way, and why."""
    devices = {device.uid: device for device in seen.devices}
    found: dict[str, str] = {}
    for miner in seen.miners:
        if miner.running in (Running.ACTIVE, Running.PAUSED, Running.STARTING):
            continue
        for uid in miner.devices:
            room_mib, need_mib = _room_mib(devices.get(uid)), miner.needs.get(uid)
            if room_mib is None or not need_mib:
                continue
            room_mib -= sum(
                runner.needs.get(uid, 0.0)
                for runner in seen.runners
                if uid in runner.devices and (runner.name, miner.name) not in state.apart
            )
            if need_mib > room_mib + MARGIN_MIB:
                found[miner.name] = _sentence(miner.name, need_mib, max(0.0, room_mib))
    return found


def short(name: str, needs: Mapping[str, float], seen: Seen) -> str | None:
    """Return why there is too little free memory just now to start a program, None if enough.

    More than is there at all is asked of nobody: some programs make do with what they find.
    """
    for device in seen.devices:
        need_mib, room_mib = needs.get(device.uid), _room_mib(device)
        if not need_mib or room_mib is None or device.free_mib is None:
            continue
        if min(need_mib, room_mib) > device.free_mib:
            return _sentence(name, need_mib, device.free_mib)
    return None


def _sentence(name: str, need_mib: float, free_mib: float) -> str:
    return (
        f"{name} takes {need_mib / _GIB:.1f} GiB of the GPU's memory, and {free_mib / _GIB:.1f} "
        "are free"
    )
