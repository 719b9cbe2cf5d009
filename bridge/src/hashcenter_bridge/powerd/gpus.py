"""The GPUs' limits through NVIDIA's driver, on one thread that may get stuck in it."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar

from ..devices.nvml import sources
from ..devices.nvml.library import nvml
from ..devices.nvml.worker import Stuck, Worker
from ..errors import BridgeError
from .decide import GpuSeen

ResultT = TypeVar("ResultT")

_OPEN_S: Final = 60.0
_CALL_S: Final = 5.0


class GpuError(BridgeError):
    """The driver refused, or did not answer; the text says which GPU and why."""


class Gpus:
    """All GPUs whose limit can be set. A lost one is left out until it is found again."""

    def __init__(self) -> None:
        self._worker = Worker("powerd-nvml")
        self._handles: dict[str, Any] = {}
        self._ranges: dict[str, tuple[float, float, float]] = {}

    async def open(self) -> None:
        """Find the GPUs. Raises GpuError when the driver does not work."""
        await self._call(self._open, _OPEN_S)

    def _open(self) -> None:
        nvml.nvmlInit()
        for index in range(nvml.nvmlDeviceGetCount()):
            try:
                handle = nvml.nvmlDeviceGetHandleByIndex(index)
                low_mw, high_mw = nvml.nvmlDeviceGetPowerManagementLimitConstraints(handle)
                default_mw = nvml.nvmlDeviceGetPowerManagementDefaultLimit(handle)
                uid = str(nvml.nvmlDeviceGetUUID(handle))
            except nvml.NVMLError:
                continue  # lost, or without a limit to set
            self._handles[uid] = handle
            self._ranges[uid] = (low_mw / 1000, high_mw / 1000, default_mw / 1000)

    async def see(self) -> Mapping[str, GpuSeen]:
        """Return the GPUs with their enforced limits, by uid. Raises GpuError."""
        return await self._call(self._see)

    def _see(self) -> dict[str, GpuSeen]:
        seen = {}
        for uid, handle in self._handles.items():
            limit_w: float | None = None
            try:
                limit_w = nvml.nvmlDeviceGetEnforcedPowerLimit(handle) / 1000
            except nvml.NVMLError as err:
                if sources.code_of(err) in sources.LOST and not self._found_again(uid):
                    continue
            seen[uid] = GpuSeen(uid, *self._ranges[uid], limit_w)
        return seen

    def _found_again(self, uid: str) -> bool:
        """Whether a GPU that was lost can be asked again; its limit is read the next time."""
        try:
            self._handles[uid] = nvml.nvmlDeviceGetHandleByUUID(uid.encode())
        except nvml.NVMLError:
            return False
        return True

    async def set(self, uid: str, power_w: float) -> None:
        """Set a limit in watts. Raises GpuError."""
        await self._call(partial(self._set, uid, power_w))

    def _set(self, uid: str, power_w: float) -> None:
        nvml.nvmlDeviceSetPowerManagementLimit(self._handles[uid], round(power_w * 1000))

    async def close(self) -> None:
        """Let go of the driver."""
        with suppress(GpuError):
            await self._call(nvml.nvmlShutdown)
        self._worker.stop()

    async def _call(self, work: Callable[[], ResultT], timeout_s: float = _CALL_S) -> ResultT:
        try:
            return await self._worker.call(work, timeout_s)
        except Stuck:
            raise GpuError("NVIDIA's driver does not answer") from None
        except nvml.NVMLError as err:
            raise GpuError(f"NVIDIA's driver answered: {err}") from None
