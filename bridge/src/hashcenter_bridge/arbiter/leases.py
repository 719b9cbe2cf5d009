"""How many watts the heater may aim at: a lease with two ends, inside the owner's rules.

The order of `aim` is the policy: the first rule that applies decides.
"""

from dataclasses import dataclass
from typing import Protocol

from ..wire.values import Favor, LeasePhase
from .types import Lease


class Owner(Protocol):
    """What the owner allows a heater; `max_w` and `safe_w` are watts at the wall."""

    @property
    def max_w(self) -> float:
        """What it never exceeds."""

    @property
    def safe_w(self) -> float:
        """What it may draw when nobody asks for heat."""

    @property
    def no_control(self) -> str | None:
        """Why nobody may ask for anything, None if somebody may."""


@dataclass(frozen=True)
class Aim:
    """Watts at the wall: `power_w` to reach with hashing (None: keep what was adopted).

    `cap_w` bounds the heater for any purpose; `raises` is False where nothing may go up.
    """

    power_w: float | None
    cap_w: float
    raises: bool
    favor: Favor | str
    reason: str


def granted(
    coast_s: float,
    now: float,
    *,
    controller: str,
    power_w: float,
    cap_w: float | None,
    ttl_s: float,
    favor: Favor,
    urgent: bool = False,
    dark: bool = False,
) -> Lease:
    """Return the lease that a request opens or renews; its ends count from `now`, its receipt."""
    ends_at = now + ttl_s
    return Lease(controller, power_w, cap_w, favor, ends_at, ends_at + coast_s, urgent, dark)


def aim(
    lease: Lease | None,
    rules: Owner,
    floor_w: float,
    now: float,
    *,
    stopped: bool,
    adopted_until: float,
) -> Aim:
    """Return what the heater aims at now; `floor_w` is its lowest hashing step, at the wall."""
    phase = lease.phase(now) if lease else None
    favor = lease.favor if lease and phase else Favor.BALANCED
    cap_w = rules.max_w
    if lease and phase and lease.cap_w is not None:
        cap_w = min(cap_w, lease.cap_w)

    if stopped:
        return Aim(0.0, 0.0, False, favor, "stopped by a person: Stop all")
    if (why := rules.no_control) is not None:
        return Aim(None, cap_w, False, favor, f"{why}: what runs is kept as it is")
    if lease and phase is LeasePhase.ACTIVE:
        power_w = min(lease.power_w, cap_w)
        if power_w < lease.power_w:
            reason = (
                f"asked for {lease.power_w:.0f} W, limited to {power_w:.0f} W by the rig's owner"
            )
            if lease.cap_w is not None and power_w == lease.cap_w:
                reason = f"asked for {lease.power_w:.0f} W, capped at {power_w:.0f} W by the house"
        elif power_w > 0:
            reason = f"heating with the {power_w:.0f} W that were asked for"
        else:
            reason = "no heat is asked for"
        return Aim(power_w, cap_w, True, favor, reason)
    if lease and phase is LeasePhase.COASTING:
        power_w = min(lease.power_w, floor_w, cap_w)
        return Aim(power_w, cap_w, False, favor, "the house fell silent: at the lowest step")
    if now < adopted_until:
        return Aim(None, cap_w, False, favor, "just started: what already ran is kept as it is")
    if rules.safe_w > 0:
        safe_w = min(rules.safe_w, rules.max_w)
        return Aim(safe_w, cap_w, True, favor, f"nobody asks for heat: the owner's {safe_w:.0f} W")
    return Aim(0.0, cap_w, True, favor, "nobody asks for heat")
