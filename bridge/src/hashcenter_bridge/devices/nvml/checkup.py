"""What `hashcenter doctor` asks of NVIDIA's driver beyond one look: proofs, not settings.

Everything here but the judging runs on the worker's thread. The limit of a card is set to what it
is, so nothing changes and the driver says whether it may be.
"""

import statistics
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final

from ...errors import DeviceFault
from ...finding import Finding
from .card import Card
from .library import nvml

#: What the running kernel module says of itself.
_KERNEL: Final = Path("/proc/driver/nvidia/version")
_EACH_S: Final = 0.2
#: Counter and watts that are further apart are not believed; `energy.py` does the same.
_AGREE: Final = (0.75, 1.25)
#: A look each second that takes longer holds the driver's lock for a tenth of the time.
_SLOW_S: Final = 0.1


@dataclass
class Watched:
    """Some seconds of one card: when, how many watts, its counter in joules, what a look took."""

    at_s: list[float] = field(default_factory=list)
    power_w: list[float] = field(default_factory=list)
    counter_j: list[float | None] = field(default_factory=list)
    took_s: list[float] = field(default_factory=list)


def driver() -> Finding:
    """Whether library and kernel module are of one version. Raises NVMLError."""
    library = str(nvml.nvmlSystemGetDriverVersion())
    with suppress(OSError):
        kernel = _KERNEL.read_text()
        if library not in kernel.split():
            text = f"the library is {library}, the kernel's module another one: restart the machine"
            return Finding("NVIDIA's driver", "failed", text)
        return Finding("NVIDIA's driver", "ok", f"{library}, library and kernel module")
    return Finding("NVIDIA's driver", "ok", f"{library} answers")


def persistence(card: Card) -> Finding | None:
    """Whether the driver stays with the card when nobody looks; None where it cannot tell."""
    try:
        is_on = bool(nvml.nvmlDeviceGetPersistenceMode(card.handle))
    except (nvml.NVMLError, AttributeError):
        return None
    name = f"persistence mode of {card.name}"
    if is_on:
        return Finding(name, "ok", "on")
    text = (
        "off: whenever nothing uses the card its power limit is forgotten and each look wakes it; "
        "`sudo systemctl enable --now nvidia-persistenced`, or `sudo nvidia-smi -pm 1` after boot"
    )
    return Finding(name, "warning", text)


def may_limit(card: Card, *, needed: bool) -> Finding | None:
    """Whether this user may set the card's limit, tried with what it is; None without a limit."""
    name = f"power limit of {card.name}"
    try:
        limit_w = nvml.nvmlDeviceGetPowerManagementLimit(card.handle) / 1000
    except (nvml.NVMLError, AttributeError):
        return None
    try:
        card.set_limit(limit_w)
    except DeviceFault as fault:
        return Finding(name, "failed" if needed else "warning", fault.text)
    return Finding(name, "ok", f"this user may set it; it is {limit_w:.0f} W")


def watch(cards: Sequence[Card], for_s: float) -> dict[str, Watched]:
    """Look at all cards for some seconds, by uid. Raises DeviceFault when one is lost."""
    seen = {card.uid: Watched() for card in cards}
    end = time.monotonic() + for_s
    while True:
        for card in cards:
            before = time.monotonic()
            sample = card.look(before, frozenset)
            after = time.monotonic()
            one = seen[card.uid]
            one.took_s.append(after - before)
            if sample.readings.power_w is not None:
                one.at_s.append((before + after) / 2)
                one.power_w.append(sample.readings.power_w)
                one.counter_j.append(sample.energy_counter_j)
        if time.monotonic() >= end:
            return seen
        time.sleep(_EACH_S)


def energy(name: str, seen: Watched) -> Finding:
    """Whether the energy counter says what the watts add up to."""
    check = f"energy of {name}"
    if not seen.power_w:
        return Finding(check, "warning", "unknown: the card does not say what it draws")
    first_j, last_j = seen.counter_j[0], seen.counter_j[-1]
    if first_j is None or last_j is None:
        return Finding(check, "ok", "no counter in this card: its watts are added up")
    watts_j = sum(
        (w0 + w1) / 2 * (t1 - t0)
        for (t0, t1), (w0, w1) in zip(pairwise(seen.at_s), pairwise(seen.power_w), strict=True)
    )
    counted_j = last_j - first_j
    said = f"counted {counted_j:.0f} J, its watts add up to {watts_j:.0f} J"
    if watts_j <= 0:
        return Finding(check, "warning", f"{said}: too little to compare, ask again under load")
    apart = f"{said} ({abs(counted_j / watts_j - 1):.0%} apart)"
    if _AGREE[0] <= counted_j / watts_j <= _AGREE[1]:
        return Finding(check, "ok", apart)
    text = f"{apart}: if it stays so under load, the bridge goes by the watts; a plug tells which"
    return Finding(check, "warning", text)


def cost(name: str, seen: Watched) -> Finding:
    """What a look takes of the driver's time."""
    usual_s, longest_s = statistics.median(seen.took_s), max(seen.took_s)
    said = f"{usual_s * 1000:.1f} ms a look, {longest_s * 1000:.0f} ms at most"
    if usual_s < _SLOW_S:
        return Finding(f"cost of {name}", "ok", said)
    text = f"{said}: that slows answers; turn persistence mode on, and see what else polls the card"
    return Finding(f"cost of {name}", "warning", text)


def of_all(cards: Sequence[Card], for_s: float, *, limits: bool, needed: bool) -> list[Finding]:
    """Return every finding; `limits`: try to set them. Raises NVMLError, DeviceFault."""
    found: list[Finding | None] = [driver()]
    found += [persistence(card) for card in cards]
    if limits:
        found += [may_limit(card, needed=needed) for card in cards]
    seen = watch(cards, for_s)
    for card in cards:
        found += [energy(card.name, seen[card.uid]), cost(card.name, seen[card.uid])]
    return [one for one in found if one is not None]
