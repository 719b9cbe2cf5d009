"""Whether the measured watts followed the target: wire rule 3, on every device.

Down: reached when the draw is at most the target + max(30 W, 5 %) within the settle time. Up while
hashing: the watts or the hash rate rose. Small changes, and limits raised for an answer: the
enforced limit read back. Without a meter: unverified. What a device's API calls a success is never
an effect.
"""

from dataclasses import replace

from ..wire.values import Effect
from .types import DeviceSeen, Track

_DAY_S = 86_400.0
#: What a draw may wander by itself; a machine of a few watts wanders less.
NOISE_W = 30.0
_SMALL_SHARE = 0.05
#: A target that was not followed counts again after this many settle times.
_PATIENCE = 4
#: So many failures within a day are not bad luck.
OFTEN = 3


def tolerance_w(target_w: float, noise_w: float = NOISE_W) -> float:
    """Return how far above its target a draw may be and still count as having followed."""
    return max(noise_w, _SMALL_SHARE * target_w)


def follow(
    track: Track | None,
    target_w: float,
    limit_w: float,
    device: DeviceSeen,
    hash_hs: float | None,
    *,
    hashes: bool,
    now: float,
) -> Track:
    """Return the device's track after this look; a changed target starts a new one.

    `limit_w` is the power limit that goes with the target, `hash_hs` the hash rate on the device;
    `hashes` says whether watts are expected to rise with the target.
    """
    if track is None or abs(track.target_w - target_w) > 1.0 or track.hashes != hashes:
        failures = tuple(at for at in (track.failures if track else ()) if now - at < _DAY_S)
        track = Track(target_w, now, device.power_w, hash_hs, hashes=hashes, failures=failures)
    if track.effect is Effect.REACHED:
        if not _too_high(track, device):
            return track
        # A peak is no failure: it may last as long as a new target may take to settle.
        track = replace(track, since=now, effect=Effect.SETTLING)
    if device.power_w is None:
        return replace(track, effect=Effect.UNVERIFIED)
    if _reached(track, limit_w, device, hash_hs):
        return replace(track, effect=Effect.REACHED)
    if track.effect is Effect.NO_EFFECT:
        # The loop tries again and again; what has failed stays so until it follows.
        counts = now - track.failures[-1] >= _PATIENCE * device.settle_s
        return replace(track, failures=(*track.failures, now)[-10:]) if counts else track
    if now - track.since < device.settle_s:
        return replace(track, effect=Effect.SETTLING)
    return replace(track, effect=Effect.NO_EFFECT, failures=(*track.failures, now)[-10:])


def recent_failures(track: Track, now: float) -> int:
    """Return how often the device did not follow within the last day."""
    return sum(now - at < _DAY_S for at in track.failures)


def keeps_exceeding(track: Track, device: DeviceSeen, now: float) -> bool:
    """Return whether a device that hashes draws too much and did not follow three times a day."""
    return (
        track.hashes
        and track.effect is Effect.NO_EFFECT
        and recent_failures(track, now) >= OFTEN
        and _too_high(track, device)
    )


def _too_high(track: Track, device: DeviceSeen) -> bool:
    most_w = track.target_w + tolerance_w(track.target_w, device.noise_w)
    return device.power_w is not None and device.power_w > most_w


def _reached(track: Track, limit_w: float, device: DeviceSeen, hash_hs: float | None) -> bool:
    if _too_high(track, device):
        return False
    from_w, noise_w = track.from_w, device.noise_w
    if from_w is not None and from_w > track.target_w + tolerance_w(from_w, noise_w):
        return True
    if track.hashes and (from_w is None or track.target_w > from_w + tolerance_w(from_w, noise_w)):
        assert device.power_w is not None
        return (
            (from_w is not None and device.power_w > from_w + noise_w / 3)
            or (hash_hs is not None and hash_hs > 1.05 * (track.from_hash_hs or 0.0))
            or device.power_w >= track.target_w - tolerance_w(track.target_w, noise_w)
        )
    if not device.adjustable:
        return True
    return device.limit_w is not None and abs(device.limit_w - limit_w) <= 1.0
