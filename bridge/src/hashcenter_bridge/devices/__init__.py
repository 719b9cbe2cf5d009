"""What draws watts: one driver per plugin, each with one or more devices.

`probe()` finds the devices and says what they can do (published unchanged in `inventory`); `read()`
looks at all of them once. The loop calls `read()` every `interval_s` in a task of the driver's own,
so a driver may be slow without stalling anything else.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ..errors import DeviceFault
from ..finding import Finding
from ..wire.messages import Device
from ..wire.values import Readings


@dataclass(frozen=True)
class Sample:
    """One look at one device.

    `energy_counter_j` is the hardware's own counter in joules, wherever it started; `energy.py`
    turns it into `energy_kwh`. `foreign` lists processes on a GPU that the bridge did not start,
    `foreign_why` says why it is somebody else's. `memory_mib` is what each process on it holds of
    its memory (None: not told); it is None where the driver lists nobody to us.
    """

    readings: Readings
    energy_counter_j: float | None = None
    foreign: tuple[int, ...] = ()
    foreign_why: str | None = None
    memory_mib: Mapping[int, float | None] | None = None


@runtime_checkable
class Examined(Protocol):
    """A driver that can prove more of its devices than one look shows."""

    async def checkup(self, for_s: float, *, needed: bool) -> list[Finding]:
        """Look for `for_s` seconds; `needed`: setting limits has to work. Raises DeviceFault."""


class Driver(Protocol):
    """A family of devices, looked at every `interval_s` seconds."""

    interval_s: float

    async def probe(self) -> Sequence[Device]:
        """Find the devices. Raises PluginUnavailable when the family cannot work here at all."""

    async def read(self) -> Mapping[str, Sample | DeviceFault]:
        """Return a sample or a fault for every device ever probed: none hides the others."""

    def look_closely(self, uid: str) -> None:
        """Learn that a program began or ended on a device: its memory and processes changed."""

    async def set_power_limit(self, uid: str, power_w: float) -> None:
        """Set a limit; a return is no proof of an effect. Raises DeviceFault when refused."""

    async def restart(self, uid: str) -> None:
        """Restart a device that can be. Raises DeviceFault when it cannot."""

    def own_processes(self, pids: Callable[[], frozenset[int]]) -> None:
        """Learn how to ask which processes are the bridge's own (all descendants)."""

    def on_event(self, report: Callable[[str, str, str], None]) -> None:
        """Learn whom to tell `(uid, code, text)` when a device reports something by itself."""

    async def close(self) -> None:
        """Let go of the devices, which stay as they are."""
