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
_SMALL_W = 30.0
_SMALL_SHARE = 0.05


def tolerance_w(target_w: float) -> float:
    """Return how far above its target a draw may be and still count as having followed."""
    return max(_SMALL_W, _SMALL_SHARE * target_w)


def follow(
    track: Track | None,
    target_w: float,
    device: DeviceSeen,
    hash_hs: float | None,
    *,
    hashes: bool,
    now: float,
) -> Track:
    """Return the device's track after this look; a changed target starts a new one.

    `hash_hs` is the hash rate on the device; `hashes` whether watts are expected to rise with the
    target.
    """
    if track is None or abs(track.target_w - target_w) > 1.0:
        failures = tuple(at for at in (track.failures if track else ()) if now - at < _DAY_S)
        track = Track(target_w, now, device.power_w, device.limit_w, hash_hs, failures=failures)
    if track.effect is Effect.REACHED and not _too_high(track, device):
        return track
    if device.power_w is None:
        return replace(track, effect=Effect.UNVERIFIED)
    settled = now - track.since >= device.settle_s
    if _reached(track, device, hash_hs, hashes=hashes):
        return replace(track, effect=Effect.REACHED)
    if track.effect is Effect.NO_EFFECT:
        # It is tried again: after another settle time the next failure counts.
        retried = now - track.failures[-1] >= 2 * device.settle_s
        return replace(track, since=now, effect=Effect.SETTLING) if retried else track
    if not settled:
        return replace(track, effect=Effect.SETTLING)
    return replace(track, effect=Effect.NO_EFFECT, failures=(*track.failures, now)[-10:])


def _too_high(track: Track, device: DeviceSeen) -> bool:
    return device.power_w is not None and device.power_w > track.target_w + tolerance_w(
        track.target_w
    )


def _reached(track: Track, device: DeviceSeen, hash_hs: float | None, *, hashes: bool) -> bool:
    if _too_high(track, device):
        return False
    from_w = track.from_w
    went_up = from_w is None or track.target_w > from_w + tolerance_w(from_w)
    if went_up and hashes:
        rose_w = (
            from_w is not None and device.power_w is not None and device.power_w > from_w + 10.0
        )
        rose_hs = hash_hs is not None and hash_hs > 1.05 * (track.from_hash_hs or 0.0)
        at_target = device.power_w is not None and device.power_w >= track.target_w - tolerance_w(
            track.target_w
        )
        return rose_w or rose_hs or at_target
    if went_up and device.adjustable:
        return device.limit_w is not None and device.limit_w <= track.target_w + 1.0
    return True
