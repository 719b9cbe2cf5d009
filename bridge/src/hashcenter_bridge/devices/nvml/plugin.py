"""The plugin: probes once, looks at all GPUs in one hop to the worker's thread, sets limits.

When the driver does not come back in time, every GPU has the fault `driver_wedged` and calls are
refused at once until it does; nothing on the event loop ever waits for the driver.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, Strict

from ...errors import DeviceFault, PluginUnavailable
from ...finding import Finding
from ...plugin import PluginConfig, PluginContext
from ...powerd.client import Client
from ...wire.messages import Device
from .. import Sample
from . import checkup, sources
from .card import Card
from .events import EventThread, Report
from .idle import IdleWatts
from .library import nvml
from .worker import Stuck, Worker

_LOGGER = logging.getLogger(__name__)

#: The first call wakes every GPU, which takes seconds on a rig without persistence mode.
_OPEN_S: Final = 60.0

_WHY_UNAVAILABLE: Final = {
    nvml.NVML_ERROR_LIBRARY_NOT_FOUND: "libnvidia-ml.so.1 is not there: install NVIDIA's driver "
    "(Debian: apt install nvidia-driver), or in a container start it with --gpus all",
    nvml.NVML_ERROR_DRIVER_NOT_LOADED: "NVIDIA's driver is not loaded: run `modprobe nvidia`, "
    "and restart the machine if that fails",
    nvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: "NVIDIA's driver was updated while the old one was "
    "running (library and kernel module differ): restart the machine",
    nvml.NVML_ERROR_NO_PERMISSION: "this user may not open /dev/nvidia*: add it to the group "
    "that owns these files (often `video` or `render`)",
}


#: TOML has no paths.
Socket = Annotated[Path, Strict(False)]


class Plugin:
    """NVIDIA GPUs. `[[device]]` with `plugin = "nvml"`."""

    interval_s = 1.0

    class Config(PluginConfig):
        """`timeout_s`: after it a silent driver counts as wedged.

        `foreign_memory_mib`: a program of somebody else that holds more of a GPU's memory than this
        has the GPU to itself (a desktop's windows hold less). `powerd`: the socket of the helper
        that sets limits, so that the bridge needs no privileges.
        """

        plugin: Literal["nvml"] = "nvml"
        timeout_s: float = Field(default=5.0, ge=0.5, le=60)
        foreign_memory_mib: float = Field(default=512.0, ge=0)
        powerd: Socket | None = None

    def __init__(
        self,
        settings: Config,
        context: PluginContext,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._idle = IdleWatts(context.state / "gpu_idle_watts.json")
        self._worker = Worker("nvml")
        self._cards: list[Card] = []
        self._own: Callable[[], frozenset[int]] = frozenset
        self._report: Report | None = None
        self._events: EventThread | None = None
        self._powerd = Client(settings.powerd) if settings.powerd else None
        self._renewal: asyncio.Task[None] | None = None

    async def probe(self) -> list[Device]:
        """Return the GPUs. Raises PluginUnavailable, with what to do, when there are none."""
        try:
            devices = await self._worker.call(self._open, _OPEN_S)
        except Stuck:
            raise PluginUnavailable(
                "NVIDIA's driver does not answer: restart the machine"
            ) from None
        loop = asyncio.get_running_loop()

        def report(uid: str, code: str, text: str) -> None:
            with suppress(RuntimeError):  # the event loop has ended
                loop.call_soon_threadsafe(self._told, uid, code, text)

        self._events = EventThread(self._cards, report)
        self._events.start()
        return devices

    def _open(self) -> list[Device]:
        try:
            nvml.nvmlInit()
            version = str(nvml.nvmlSystemGetDriverVersion())
            count = nvml.nvmlDeviceGetCount()
        except nvml.NVMLError as err:
            why = _WHY_UNAVAILABLE.get(sources.code_of(err))
            raise PluginUnavailable(why or f"NVIDIA's driver does not work: {err}") from None
        devices = []
        for index in range(count):
            try:
                handle = nvml.nvmlDeviceGetHandleByIndex(index)
                foreign_mib = self._settings.foreign_memory_mib
                card = Card(handle, index, version, foreign_mib, self._idle)
                devices.append(card.probe())
            except nvml.NVMLError as err:
                _LOGGER.warning("GPU %s cannot be used and is left out: %s", index, err)
                continue
            self._cards.append(card)
        if not devices:
            nvml.nvmlShutdown()
            raise PluginUnavailable(
                "NVIDIA's driver finds no GPU that works: see whether `lspci` lists it, and check "
                "its power cables"
            )
        return devices

    async def read(self) -> Mapping[str, Sample | DeviceFault]:
        """Look at all GPUs: a sample or a fault for each."""
        try:
            seen = await self._worker.call(self._look, self._settings.timeout_s)
        except Stuck:
            fault = self._wedged()
            return {card.uid: fault for card in self._cards}
        if self._powerd and (self._renewal is None or self._renewal.done()):
            # Beside the readings: they do not wait for powerd.
            self._renewal = asyncio.create_task(self._renew(self._powerd), name="renew limits")
        return seen

    async def _renew(self, powerd: Client) -> None:
        try:
            await powerd.renew()
        except DeviceFault as fault:
            _LOGGER.debug("%s", fault)  # said where it matters: when a limit has to be set

    def _look(self) -> dict[str, Sample | DeviceFault]:
        seen: dict[str, Sample | DeviceFault] = {}
        for card in self._cards:
            was_lost = card.is_lost
            try:
                seen[card.uid] = card.look(self._clock(), self._own)
            except DeviceFault as fault:
                seen[card.uid] = fault
            if was_lost and not card.is_lost and self._events:
                self._events.renew()
        return seen

    def _wedged(self) -> DeviceFault:
        return DeviceFault(
            "driver_wedged",
            f"NVIDIA's driver has not answered for more than {self._settings.timeout_s:.0f} s: "
            "restart the machine if it stays so",
        )

    async def set_power_limit(self, uid: str, power_w: float) -> None:
        """Set a GPU's limit in watts. Raises DeviceFault when it is refused."""
        card = next(card for card in self._cards if card.uid == uid)
        if self._powerd:
            card.check_limit(power_w)
            await self._powerd.set_limit(uid, power_w)
            return
        try:
            await self._worker.call(partial(card.set_limit, power_w), self._settings.timeout_s)
        except Stuck:
            raise self._wedged() from None

    def look_closely(self, uid: str) -> None:
        """Ask for memory and processes at the next look."""
        for card in self._cards:
            if card.uid == uid:
                card.look_closely()

    async def restart(self, uid: str) -> None:
        """Refuse: a GPU restarts with its machine only. Raises DeviceFault."""
        name = next(card.name for card in self._cards if card.uid == uid)
        raise DeviceFault("restart_unsupported", f"{name} cannot be restarted by itself")

    async def checkup(self, for_s: float, *, needed: bool) -> list[Finding]:
        """Return what `hashcenter doctor` says of driver and cards. Raises DeviceFault."""
        work = partial(
            checkup.of_all, self._cards, for_s, limits=self._powerd is None, needed=needed
        )
        try:
            found = await self._worker.call(work, for_s + self._settings.timeout_s)
        except Stuck:
            raise self._wedged() from None
        except nvml.NVMLError as err:
            raise DeviceFault("driver_failed", f"NVIDIA's driver answered: {err}") from None
        if self._powerd is None:
            return found
        try:
            text = await self._powerd.may()
        except DeviceFault as fault:
            return [*found, Finding("powerd", "failed" if needed else "warning", fault.text)]
        return [*found, Finding("powerd", "ok", f"sets limits for this user; {text}")]

    def own_processes(self, pids: Callable[[], frozenset[int]]) -> None:
        """Learn how to ask which processes are the bridge's own."""
        self._own = pids

    def on_event(self, report: Report) -> None:
        """Have `report(uid, code, text)` called for each XID, on the event loop."""
        self._report = report

    def _told(self, uid: str, code: str, text: str) -> None:
        if self._report:
            self._report(uid, code, text)

    async def close(self) -> None:
        """Let go of the driver, also of one that does not answer."""
        if self._powerd:
            await self._powerd.close()
        if self._events:
            await asyncio.to_thread(self._events.stop)
        with suppress(Stuck, nvml.NVMLError):
            await self._worker.call(nvml.nvmlShutdown, self._settings.timeout_s)
        self._worker.stop()
