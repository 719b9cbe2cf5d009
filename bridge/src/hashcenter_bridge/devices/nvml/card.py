"""One GPU: what it can (`probe`, once), what it measures (`look`), its limit (`set_limit`).

A look is one batched call and three more; memory, clocks and fan are asked every 5 s, processes
every 15 s and when memory moved, because they take the driver's lock for longer. A reading is a
value, unsupported (it is not among the capabilities) or failing now (absent, with the reason in
`missing`). Everything here runs on the worker's thread.
"""

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from ...errors import DeviceFault
from ...wire.messages import Device
from ...wire.values import Capabilities, DeviceKind, PowerSource, Readings, WattRange
from .. import Sample
from . import sources
from .idle import IdleWatts
from .library import nvml
from .users import Watch

_LOGGER = logging.getLogger(__name__)

_RARELY_S: Final = 5.0
_PROCESSES_S: Final = 15.0
_FIND_AGAIN_S: Final = 10.0
_MOVED_MIB: Final = 128.0
#: From performance state 8 on a GPU has nothing to do.
_IDLE_STATE: Final = 8


class Card:
    """A GPU known by its UUID. `handle` is NVML's, and is looked up again when the GPU was lost."""

    def __init__(
        self, handle: Any, index: int, driver_version: str, foreign_mib: float, idle: IdleWatts
    ) -> None:
        """Learn who the GPU is. Raises NVMLError, for a lost GPU among others."""
        self.handle = handle
        self.uid = str(nvml.nvmlDeviceGetUUID(handle))
        self.model = str(nvml.nvmlDeviceGetName(handle)).removeprefix("NVIDIA ")
        self.name = f"{self.model} ({str(nvml.nvmlDeviceGetPciInfo(handle).busId)[-7:]})"
        self._index = index
        self._driver_version = driver_version
        self._users = Watch(foreign_mib)
        self._lists_users = False
        self._idle = idle
        self._fields: dict[int, tuple[str, float]] = {}
        self._each_time: dict[str, sources.Read] = {}
        self._rarely: dict[str, sources.Read] = {}
        self._range: WattRange | None = None
        self._kept: dict[str, Any] = {}
        self._kept_missing: dict[str, str] = {}
        self._used_mib: float | None = None
        self._rarely_at = self._processes_at = float("-inf")
        self._lost_at: float | None = None

    def probe(self) -> Device:
        """Find out what the card can, and return it as the inventory shows it. Raises NVMLError."""
        gpu = self.handle
        self._fields = sources.supported_fields(gpu)
        by_field = {name for name, _ in self._fields.values()}
        instead = {name: reads for name, reads in sources.INSTEAD.items() if name not in by_field}
        self._each_time = _picked(gpu, {**instead, **sources.EACH_TIME})
        self._rarely = _picked(gpu, sources.RARELY)
        self._lists_users = self._users.probe(gpu)
        self._range = self._limit_range()
        with suppress(nvml.NVMLError, sources.Implausible):
            self._note_idle()
        names = by_field | set(self._each_time) | set(self._rarely)
        if "power_w" in names:
            moment = "the draw of the moment" if "power_w" in by_field else "a mean over a second"
            _LOGGER.info("%s: its watts are %s", self.name, moment)
            names.add("energy_kwh")
        if self._lists_users:
            names.add("foreign_processes")
        return Device(
            uid=self.uid,
            kind=DeviceKind.GPU,
            name=self.name,
            ordinal=self._index,
            model=self.model,
            firmware=self._driver_version,
            capabilities=Capabilities(
                readings=tuple(name for name in Readings.model_fields if name in names),
                power_source=PowerSource.MEASURED if "power_w" in names else PowerSource.NONE,
                power_limit=self._range,
                idle_w=self._idle.get(self.uid),
            ),
        )

    def _limit_range(self) -> WattRange | None:
        try:
            low_mw, high_mw = nvml.nvmlDeviceGetPowerManagementLimitConstraints(self.handle)
        except nvml.NVMLError:
            return None
        default_w: float | None = None
        with suppress(nvml.NVMLError):
            default_w = nvml.nvmlDeviceGetPowerManagementDefaultLimit(self.handle) / 1000
        return WattRange(min_w=low_mw / 1000, max_w=high_mw / 1000, default_w=default_w)

    def _note_idle(self) -> None:
        """Remember what the card draws, if it has nothing to do. Raises NVMLError."""
        if nvml.nvmlDeviceGetPerformanceState(self.handle) >= _IDLE_STATE:
            power_w = sources.plausible_w(nvml.nvmlDeviceGetPowerUsage(self.handle) / 1000)
            self._idle.note(self.uid, power_w)

    def look(self, now: float, own: Callable[[], frozenset[int]]) -> Sample:
        """Look once at `now` (seconds); `own` tells which processes are the bridge's.

        Raises DeviceFault when the card does not answer at all.
        """
        values: dict[str, Any] = {}
        missing: dict[str, str] = {}
        try:
            self._find_again(now)
            self._read_fields(values, missing)
            _ask(self.handle, self._each_time, values, missing)
            if now - self._rarely_at >= _RARELY_S:
                self._kept, self._kept_missing = {}, {}
                _ask(self.handle, self._rarely, self._kept, self._kept_missing)
                with suppress(nvml.NVMLError, sources.Implausible):
                    self._note_idle()
                self._rarely_at = now
            if now - self._processes_at >= _PROCESSES_S or self._memory_moved():
                self._users.look(self.handle, own)
                self._processes_at = now
        except nvml.NVMLError as err:
            if self._lost_at is None or now - self._lost_at >= _FIND_AGAIN_S:
                self._lost_at = now
            raise self._lost_fault(err) from None
        self._lost_at = None
        counter_j = values.pop("energy_counter_j", None)
        missing.pop("energy_counter_j", None)
        users = self._users.last
        if users.missing:
            missing["foreign_processes"] = users.missing
        elif self._lists_users:
            values["foreign_processes"] = len(users.foreign)
        readings = Readings(**values, **self._kept, missing={**missing, **self._kept_missing})
        return Sample(readings, counter_j, users.foreign, users.why, users.memory_mib)

    def look_closely(self) -> None:
        """Look at everything the next time: a program began or ended."""
        self._rarely_at = self._processes_at = float("-inf")

    def _memory_moved(self) -> bool:
        """Return whether somebody took or gave back a good part of the memory."""
        before_mib, self._used_mib = self._used_mib, self._kept.get("memory_used_mib")
        if before_mib is None or self._used_mib is None:
            return False
        return bool(abs(self._used_mib - before_mib) >= _MOVED_MIB)

    @property
    def is_lost(self) -> bool:
        """Whether the last look found it gone."""
        return self._lost_at is not None

    def _find_again(self, now: float) -> None:
        """Ask for a lost card's handle, rarely. Raises NVMLError while it is gone."""
        if self._lost_at is None:
            return
        if now - self._lost_at < _FIND_AGAIN_S:
            raise nvml.NVMLError(nvml.NVML_ERROR_GPU_IS_LOST)
        self.handle = nvml.nvmlDeviceGetHandleByUUID(self.uid.encode())

    def _read_fields(self, values: dict[str, Any], missing: dict[str, str]) -> None:
        if not self._fields:
            return
        try:
            answers = sources.read_fields(self.handle, self._fields)
        except nvml.NVMLError as err:
            if sources.code_of(err) in sources.LOST:
                raise
            missing.update((name, _why(err)) for name, _ in self._fields.values())
            return
        for number, (name, factor) in self._fields.items():
            answer = answers[number]
            try:
                if isinstance(answer, Exception):
                    raise answer
                value = answer * factor
                values[name] = sources.plausible_w(value) if name == "power_w" else value
            except (nvml.NVMLError, sources.Implausible) as err:
                if sources.code_of(err) in sources.LOST:
                    raise
                missing[name] = _why(err)

    def check_limit(self, power_w: float) -> None:
        """Raise DeviceFault for a limit that the card does not take."""
        allowed = self._range
        if allowed is None:
            raise DeviceFault("limit_unsupported", f"{self.name} has no power limit to set")
        if not allowed.min_w <= power_w <= allowed.max_w:
            raise DeviceFault(
                "limit_refused",
                f"{self.name} takes {allowed.min_w:.0f} to {allowed.max_w:.0f} W, "
                f"not {power_w:.0f} W",
            )

    def set_limit(self, power_w: float) -> None:
        """Set the power limit in watts. Raises DeviceFault with what to do."""
        self.check_limit(power_w)
        try:
            nvml.nvmlDeviceSetPowerManagementLimit(self.handle, round(power_w * 1000))
        except nvml.NVMLError as err:
            if sources.code_of(err) == nvml.NVML_ERROR_NO_PERMISSION:
                raise DeviceFault(
                    "limit_not_permitted",
                    f"{self.name}: this user may not set power limits; "
                    "let `hashcenter powerd` do it (docs/rig.md)",
                ) from None
            if sources.code_of(err) in sources.LOST:
                raise self._lost_fault(err) from None
            raise DeviceFault(
                "limit_refused", f"{self.name} refused {power_w:.0f} W: {_why(err)}"
            ) from None

    def _lost_fault(self, err: Exception) -> DeviceFault:
        if sources.code_of(err) == nvml.NVML_ERROR_RESET_REQUIRED:
            return DeviceFault(
                "gpu_needs_reset", f"{self.name} needs a reset: restart the machine when it suits"
            )
        return DeviceFault(
            "gpu_lost",
            f"{self.name} has fallen off the bus: check its power cables and riser, "
            "and restart the machine if it does not come back",
        )


def _picked(gpu: Any, table: Mapping[str, tuple[sources.Read, ...]]) -> dict[str, sources.Read]:
    found = {name: sources.pick(gpu, reads) for name, reads in table.items()}
    return {name: read for name, read in found.items() if read is not None}


def _ask(
    gpu: Any,
    reads: Mapping[str, sources.Read],
    values: dict[str, Any],
    missing: dict[str, str],
) -> None:
    """Fill `values`, and `missing` with the reasons. Raises NVMLError when the card is lost."""
    for name, read in reads.items():
        try:
            values[name] = read(gpu)
        except (nvml.NVMLError, sources.Implausible) as err:
            if sources.code_of(err) in sources.LOST:
                raise
            missing[name] = _why(err)


def _why(err: Exception) -> str:
    return str(err) if isinstance(err, sources.Implausible) else f"the driver answered: {err}"
