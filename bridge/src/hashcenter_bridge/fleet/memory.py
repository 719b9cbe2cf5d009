"""What of an ASIC outlasts the bridge: its starts of the last day, its pools, where it was.

Kept in the store by its uid; starts as times of the wall clock, since the bridge's own begins anew.
A wall clock that was set back makes a start look fresh, never forgotten.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from ..arbiter.asic.types import DAY_S
from ..wire.codec import encode
from ..wire.messages import Device
from .pools import Pools

_MOST_STARTS: Final = 200
#: Seconds since 1970 that no clock will show.
_LAST_TIME: Final = 2.0**53


@dataclass
class Kept:
    """One ASIC's lasting facts. `address` is its block's; `pools` None: none adopted yet.

    `device` is who it was and what it could do when it was reached last, as the wire says it.
    `display` is how its owner had its screen before it was made dark.
    """

    address: str = ""
    device: dict[str, Any] | None = None
    starts: list[float] = field(default_factory=list)
    pools: Pools | None = None
    interrupted: bool = False
    display: float | None = None


def understood(raw: object) -> Kept:
    """Return what is understood of a file that another version, or nobody, may have written."""
    facts: dict[str, Any] = raw if isinstance(raw, dict) else {}
    starts, pools, address = facts.get("starts"), facts.get("pools"), facts.get("address")
    device = facts.get("device")
    return Kept(
        address=address if isinstance(address, str) else "",
        device=device if isinstance(device, dict) else None,
        starts=[float(at) for at in starts[-_MOST_STARTS:] if _is_time(at)]
        if isinstance(starts, list)
        else [],
        pools=[
            [str(part) for part in pool]
            for pool in pools
            if isinstance(pool, list) and len(pool) == 2
        ]
        if isinstance(pools, list)
        else None,
        interrupted=bool(facts.get("interrupted")),
        display=_display(facts.get("display")),
    )


def _display(value: object) -> float | None:
    known = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e6
    return float(value) if known else None  # type: ignore[arg-type]


def _is_time(at: object) -> bool:
    return isinstance(at, int | float) and 0 <= at < _LAST_TIME


def known_device(kept: Kept) -> Device | None:
    """Return the machine as it was reached last, None where that is not known any more."""
    if kept.device is None:
        return None
    try:
        return Device.model_validate_json(json.dumps(kept.device))
    except ValueError:
        return None


def note_device(kept: Kept, device: Device) -> bool:
    """Keep who the machine is; return whether that is news."""
    told: dict[str, Any] = json.loads(encode(device))
    news, kept.device = told != kept.device, told
    return news


def starts_since(
    kept: Kept, now: float, wall: Callable[[], float] = time.time
) -> tuple[float, ...]:
    """Return the starts of the last day on the bridge's clock, which says `now`."""
    ages = [max(0.0, wall() - at) for at in kept.starts]
    return tuple(sorted(now - age for age in ages if age < DAY_S))


def note_starts(
    kept: Kept, starts: tuple[float, ...], now: float, wall: Callable[[], float] = time.time
) -> None:
    """Keep these starts of the bridge's clock."""
    kept.starts = [wall() - (now - at) for at in starts[-_MOST_STARTS:]]
