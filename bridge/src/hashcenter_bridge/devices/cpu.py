"""The rig's own processor as a device: watts by its energy counters, else by an estimate.

    /sys/class/powercap (RAPL) or busy time and the owner's idle_w, max_w -> watts
    /proc/stat -> utilization, /sys/class/hwmon -> temperature

Sources: kernel documentation, power/powercap.rst and hwmon/sysfs-interface.rst; proc_stat(5).
"""

import asyncio
import hashlib
import logging
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, model_validator

from ..errors import DeviceFault, PluginUnavailable
from ..plugin import PluginConfig, PluginContext
from ..wire.messages import Device
from ..wire.values import Capabilities, DeviceKind, PowerSource, Readings
from . import Sample

_LOGGER = logging.getLogger(__name__)

_SENSORS: Final = frozenset({"coretemp", "k10temp", "zenpower", "cpu_thermal"})
#: Closer looks would measure the counter's own steps.
_SHORTEST_S: Final = 0.2
#: No processor package draws more.
_HIGHEST_W: Final = 1000.0
_TOO_SOON: Final = "measured from the next look on"


class Package:
    """One processor package's energy counter, unwrapped."""

    def __init__(self, zone: Path) -> None:
        """Read it once. Raises OSError when this user may not."""
        self._counter = zone / "energy_uj"
        self._range_uj = _number(zone / "max_energy_range_uj")
        self._last_uj = _number(self._counter)
        self.joules = self._last_uj / 1e6
        limits = [_limit_w(one) for one in zone.glob("constraint_*_power_limit_uw")]
        #: Boards without a limit of their own write something absurd there.
        self.most_w = max((one for one in limits if 0 < one <= _HIGHEST_W), default=None)

    def look(self) -> None:
        """Bring `joules` up to now. Raises OSError."""
        now_uj = _number(self._counter)
        step_uj = now_uj - self._last_uj
        self._last_uj = now_uj
        self.joules += (step_uj if step_uj >= 0 else step_uj + self._range_uj) / 1e6


class Plugin:
    """This machine's processor. `[[device]]` with `plugin = "cpu"`."""

    interval_s = 2.0

    class Config(PluginConfig):
        """`idle_w` and `max_w`: for the estimate, where the processor does not tell its watts."""

        plugin: Literal["cpu"] = "cpu"
        idle_w: float | None = Field(default=None, ge=0, le=1000)
        max_w: float | None = Field(default=None, gt=0, le=2000)

        @model_validator(mode="after")
        def _both_or_none(self) -> "Plugin.Config":
            if (self.idle_w is None) != (self.max_w is None):
                raise ValueError("idle_w and max_w belong together: give both or none")
            if self.idle_w is not None and self.max_w is not None and self.idle_w >= self.max_w:
                raise ValueError("max_w must be more than idle_w")
            return self

    def __init__(
        self,
        settings: Config,
        context: PluginContext,
        clock: Callable[[], float] = time.monotonic,
        root: Path = Path("/"),
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._root = root
        self._uid = _uid(root, context)
        self._packages: list[Package] = []
        self._sensors: list[Path] = []
        self._source = PowerSource.NONE
        self._before: tuple[float, float] | None = None
        self._ticks = (0, 0)

    async def probe(self) -> list[Device]:
        """Return the processor. Raises PluginUnavailable where there is no /proc/stat."""
        try:
            self._ticks = self._read_ticks()
        except (OSError, ValueError):
            raise PluginUnavailable("this system has no /proc/stat to read") from None
        self._packages = self._find_packages()
        self._sensors = self._find_sensors()
        if self._packages:
            self._source = PowerSource.MEASURED
            self._before = self._clock(), self._joules()
        elif self._settings.max_w is not None:
            self._source = PowerSource.ESTIMATED
        else:
            _LOGGER.info(
                "the processor's watts are unknown: run the bridge as a user who may read "
                '/sys/class/powercap, or give idle_w and max_w in the block plugin = "cpu"'
            )
        await asyncio.sleep(_SHORTEST_S)  # so that the first look has something to measure
        names = {"utilization_percent"}
        names |= {"power_w", "energy_kwh"} if self._source is not PowerSource.NONE else set()
        names |= {"temp_c"} if self._sensors else set()
        model = self._model()
        return [
            Device(
                uid=self._uid,
                kind=DeviceKind.CPU,
                name=model or "Processor",
                model=model,
                capabilities=Capabilities(
                    readings=tuple(name for name in Readings.model_fields if name in names),
                    power_source=self._source,
                    idle_w=self._settings.idle_w,
                    nominal_w=self._most_w(),
                ),
            )
        ]

    async def read(self) -> Mapping[str, Sample | DeviceFault]:
        """Look once: busy time, watts, temperature."""
        values: dict[str, Any] = {}
        missing: dict[str, str] = {}
        counter_j: float | None = None
        try:
            busy = self._busy()
        except (OSError, ValueError) as err:
            return {self._uid: DeviceFault("cpu_unreadable", f"/proc/stat: {err}")}
        if busy is None:
            missing["utilization_percent"] = _TOO_SOON
        else:
            values["utilization_percent"] = round(100 * busy, 1)
        if self._source is PowerSource.ESTIMATED:
            self._estimate(busy, values, missing)
        if self._source is PowerSource.MEASURED:
            try:
                counter_j = self._measure(values, missing)
            except (OSError, ValueError) as err:
                missing["power_w"] = f"the energy counter cannot be read: {err}"
        if self._sensors:
            try:
                values["temp_c"] = max(_number(sensor) for sensor in self._sensors) / 1000
            except (OSError, ValueError) as err:
                missing["temp_c"] = f"the sensor cannot be read: {err}"
        return {self._uid: Sample(Readings(**values, missing=missing), counter_j)}

    def _measure(self, values: dict[str, Any], missing: dict[str, str]) -> float:
        now, joules = self._clock(), self._joules()
        if self._before is None:
            self._before = now, joules
        since_s = now - self._before[0]
        if since_s < _SHORTEST_S:
            missing["power_w"] = _TOO_SOON
        else:
            values["power_w"] = round((joules - self._before[1]) / since_s, 2)
            self._before = now, joules
        return joules

    def _estimate(
        self, busy: float | None, values: dict[str, Any], missing: dict[str, str]
    ) -> None:
        if busy is None:
            missing["power_w"] = _TOO_SOON
            return
        idle_w, max_w = self._settings.idle_w or 0.0, self._settings.max_w or 0.0
        values["power_w"] = round(idle_w + busy * (max_w - idle_w), 2)

    def _joules(self) -> float:
        for package in self._packages:
            package.look()
        return sum(package.joules for package in self._packages)

    def _busy(self) -> float | None:
        """Return the share of time since the last look in which processors worked, 0 to 1.

        None when no time has passed. Raises OSError and ValueError.
        """
        busy, total = self._read_ticks()
        step_busy, step_total = busy - self._ticks[0], total - self._ticks[1]
        self._ticks = busy, total
        return min(1.0, max(0.0, step_busy / step_total)) if step_total > 0 else None

    def _read_ticks(self) -> tuple[int, int]:
        """Return busy and total ticks of all processors; waiting for disks is not work."""
        with (self._root / "proc/stat").open() as file:
            ticks = [int(field) for field in file.readline().split()[1:9]]
        if len(ticks) < 5:
            raise ValueError("its first line is not understood")
        return sum(ticks) - ticks[3] - ticks[4], sum(ticks)

    def _find_packages(self) -> list[Package]:
        """Return the packages whose counters may be read; subzones are parts of them."""
        packages = []
        for zone in sorted((self._root / "sys/class/powercap").glob("intel-rapl:*")):
            with suppress(OSError, ValueError):
                if zone.name.count(":") == 1 and (zone / "name").read_text().startswith("package"):
                    packages.append(Package(zone))
        return packages

    def _most_w(self) -> float | None:
        """Return what the owner says it draws at most, else the highest limit of its packages."""
        if self._settings.max_w is not None:
            return self._settings.max_w
        most = [package.most_w for package in self._packages]
        known = [watts for watts in most if watts is not None]
        return sum(known) if known and len(known) == len(most) else None

    def _find_sensors(self) -> list[Path]:
        sensors = []
        for chip in sorted((self._root / "sys/class/hwmon").glob("hwmon*")):
            with suppress(OSError, ValueError):
                if (chip / "name").read_text().strip() in _SENSORS:
                    _number(chip / "temp1_input")
                    sensors.append(chip / "temp1_input")
        return sensors

    def _model(self) -> str | None:
        with suppress(OSError), (self._root / "proc/cpuinfo").open() as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()[:120] or None
        return None

    def look_closely(self, uid: str) -> None:
        """Nothing to do: each look is the whole."""

    async def set_power_limit(self, uid: str, power_w: float) -> None:  # noqa: ARG002
        """Refuse. Raises DeviceFault."""
        raise DeviceFault("limit_unsupported", "the processor has no power limit to set")

    async def restart(self, uid: str) -> None:  # noqa: ARG002
        """Refuse. Raises DeviceFault."""
        raise DeviceFault("restart_unsupported", "the processor restarts with its machine only")

    def own_processes(self, pids: Callable[[], frozenset[int]]) -> None:
        """A processor is shared; whose processes run on it does not matter."""

    def on_event(self, report: Callable[[str, str, str], None]) -> None:
        """A processor reports nothing by itself."""

    async def close(self) -> None:
        """Nothing is held."""


def _limit_w(path: Path) -> float:
    """Return a limit of the processor's own, 0 for one that cannot be read."""
    try:
        return _number(path) / 1e6
    except (OSError, ValueError):
        return 0.0


def _number(path: Path) -> int:
    return int(path.read_text())


def _uid(root: Path, context: PluginContext) -> str:
    """Return a name that stays with this machine and this bridge, and tells nothing about them."""
    try:
        machine = (root / "etc/machine-id").read_text().strip()
    except OSError:
        machine = socket.gethostname()
    secret = f"hashcenter cpu {machine} {context.state}"
    return f"CPU-{hashlib.sha256(secret.encode()).hexdigest()[:16]}"
