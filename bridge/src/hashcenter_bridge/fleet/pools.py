"""Whether an ASIC still works for the pools that its owner gave it: a changed list is a fault.

What is found first is adopted and kept in the state folder. A fail-over inside the list is none of
our business; another address or worker in it was a reset, or a thief.
"""

from collections.abc import Sequence
from typing import Final

from ..devices.asic import Pool
from .readings import without_user

Pools = list[list[str]]
_MOST: Final = 16


def listed(pools: Sequence[Pool]) -> Pools:
    """Return a machine's pools as they are kept; their order and state do not matter."""
    return sorted([pool.url, pool.worker] for pool in pools[:_MOST] if pool.url)


def what_changed(adopted: Pools, pools: Sequence[Pool]) -> str | None:
    """Return what differs from the adopted pools in a sentence without a worker, None if nothing.

    A machine that tells no pool just now (it is starting) has not changed any.
    """
    now = listed(pools)
    if not now or now == adopted:
        return None
    before_urls, now_urls = {url for url, _ in adopted}, {url for url, _ in now}
    if now_urls != before_urls:
        fresh = ", ".join(sorted(map(without_user, now_urls - before_urls)))
        fresh = fresh or "fewer pools than before"
        return f"it works for other pools than its owner gave it: {fresh}"
    return "it works for another worker than its owner gave it"
