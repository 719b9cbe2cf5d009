"""What is published of a look at an ASIC: its own readings, its meter's watts, what follows."""

from typing import Final

from ..devices.asic import AsicSample
from ..wire.values import Capabilities, Readings

#: A machine's own watts and its meter's may differ so much.
_DISAGREES: Final = 0.10
_SMALL_W: Final = 5.0


def published(sample: AsicSample, can: Capabilities, gauged_w: float | None) -> Readings:
    """Return what is told of a look; `gauged_w` are its meter's watts, where one is named."""
    readings = sample.readings
    changes: dict[str, object] = {}
    power_w = readings.power_w
    if gauged_w is not None:
        changes |= {"power_w": gauged_w, "reported_power_w": power_w}
        power_w = gauged_w
    rate_mhs = readings.hash_rate_mhs
    if power_w is not None and rate_mhs:
        changes["joules_per_terahash"] = round(power_w / (rate_mhs / 1e6), 2)
    if isinstance(sample.setting, str):
        changes["step"] = sample.setting[:120]
    elif sample.setting is not None:
        changes["power_percent" if can.percent else "power_limit_w"] = sample.setting
    if (active := next((pool for pool in sample.pools if pool.active), None)) is not None:
        changes |= {"pool": without_user(active.url), "pool_connected": active.connected}
    if (up_s := sample.mining_s if sample.uptime_s is None else sample.uptime_s) is not None:
        changes["uptime_s"] = up_s
    return readings.model_copy(update=changes)


def without_user(url: str) -> str:
    """Return a pool's address without a user or a password in it."""
    scheme, mark, rest = url.rpartition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}"[:400]


def disagree(said_w: float | None, true_w: float | None) -> bool:
    """Return whether a machine's own watts and its meter's differ by more than 10 %."""
    if said_w is None or true_w is None:
        return False
    return abs(said_w - true_w) > max(_SMALL_W, _DISAGREES * true_w)
