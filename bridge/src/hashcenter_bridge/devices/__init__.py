"""What draws watts: one driver per plugin, each with one or more devices.

`probe()` finds the devices and says what they can do (published unchanged in `inventory`); `read()`
looks at all of them once. The loop calls `read()` every `interval_s` in a task of the driver's own, so
a driver may be slow without stalling anything else.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..errors import DeviceFault
from ..wire.messages import Device
from ..wire.values import Readings


@dataclass(frozen=True)
class Sample:
    """One look at one device.

    `energy_counter_j` is the hardware's own counter in joules, wherever it started; `energy.py` turns
    it into `energy_kwh`. `foreign` lists processes on a GPU that the bridge did not start.
    """

    readings: Readings
    energy_counter_j: float | None = None
    foreign: tuple[int, ...] = ()


class Driver(Protocol):
    """A family of devices.

    `probe` raises PluginUnavailable when the family cannot work here at all. `read` returns a sample
    or a fault for every device ever probed: one lost device never hides the others.
    `set_power_limit` raises DeviceFault when it is refused; a return is no proof of an effect.
    `on_event` is given a callback `(uid, code, text)` for what a device reports by itself.
    """

    interval_s: float

    async def probe(self) -> Sequence[Device]: ...

    async def read(self) -> Mapping[str, Sample | DeviceFault]: ...

    async def set_power_limit(self, uid: str, power_w: float) -> None: ...

    async def restart(self, uid: str) -> None: ...

    def own_processes(self, pids: Callable[[], frozenset[int]]) -> None:
        """Learn how to ask which processes are the bridge's own (all descendants)."""

    def on_event(self, report: Callable[[str, str, str], None]) -> None: ...

    async def close(self) -> None: ...
