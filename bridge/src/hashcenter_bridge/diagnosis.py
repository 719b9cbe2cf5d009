"""Everything that is wrong with a rig now, each with a sentence for its owner."""

from collections.abc import Mapping

from .arbiter.effect import OFTEN, recent_failures
from .arbiter.types import Running, Track
from .child import ChildState
from .errors import DeviceFault
from .faults import Key
from .rig import Rig
from .runners import HasDoubt
from .wire.values import Effect

#: One look that failed is no news.
_LASTS_S = 3.0


def wrong_now(rig: Rig, limit_faults: Mapping[str, DeviceFault], now: float) -> dict[Key, str]:
    """Return what is wrong at `now`: (code, the device's uid or None) -> a sentence.

    `limit_faults` are the devices that refused their power limit the last time.
    """
    wrong: dict[Key, str] = dict(rig.fleet.wrong(now))
    for uid, watched in rig.metering.watched.items():
        name = watched.device.name
        if watched.fault is not None and now - watched.read_at >= _LASTS_S:
            wrong[(watched.fault.code, uid)] = named(name, watched.fault.text)
        if (refused := limit_faults.get(uid)) is not None:
            wrong[(refused.code, uid)] = refused.text
        if (track := rig.state.tracks.get(uid)) is not None:
            wrong |= {(code, uid): text for code, text in _ineffective(name, track, now).items()}
        if uid in rig.state.cooling:
            wrong[("too_hot", uid)] = f"{name} is too hot; it does not hash"
    for uid, text in rig.memory.left_behind(now).items():
        wrong[("memory_not_freed", uid)] = named(rig.metering.watched[uid].device.name, text)
    for code, text in _programs(rig):
        said = wrong.get((code, None))
        wrong[(code, None)] = f"{said}; {text}" if said else text
    if rig.store.failure:
        wrong[("storage", None)] = rig.store.failure
    return wrong


def named(name: str, text: str) -> str:
    """Return what a device's driver says with the device's name, once."""
    return text if name in text else f"{name}: {text}"


def _ineffective(name: str, track: Track, now: float) -> dict[str, str]:
    wrong = {}
    if track.effect is Effect.NO_EFFECT:
        wrong["no_effect"] = (
            f"{name} was set to {track.target_w:.0f} W, but its measured watts did not follow"
        )
    if recent_failures(track, now) >= OFTEN:
        wrong["no_effect_often"] = (
            f"{name} did not follow its watts {OFTEN} times within a day: check its miner and its "
            "power limit"
        )
    return wrong


def _programs(rig: Rig) -> list[tuple[str, str]]:
    wrong = [("runner_failed", one.why) for one in rig.runners if one.running is Running.FAILED]
    wrong += [
        ("template_changed", one.runner.doubt)
        for one in rig.runners
        if isinstance(one.runner, HasDoubt) and one.runner.doubt
    ]
    wrong += [
        ("voice_failed", one.child.why)
        for one in rig.voices
        if one.child.state is ChildState.FAILED
    ]
    for miner in rig.miners:
        if miner.running is Running.FAILED:
            wrong.append(("miner_failed", miner.why_not))
        elif miner.pool_connected is False:
            wrong.append(("pool_lost", f"{miner.miner.name} has lost its pool"))
    return wrong
