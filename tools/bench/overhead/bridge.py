"""The bridge at 1 Hz with eight fake GPUs, beside nvitop-exporter on the same fake library."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from tools.bench.overhead.rig import running
from tools.demo.ports import HOST, free_port, until_open
from tools.demo.processes import Processes
from tools.paths import ROOT
from tools.setup.environments import script_environment

_GPUS = 8
_SETTLE_S = 10.0
_LOCK = ROOT / "tools/bench/requirements-nvitop.lock"


async def measure(folder: Path, seconds: float, say: Callable[[str], None]) -> dict[str, float]:
    """Return CPU (percent of one core) and memory (MB resident) of both over the same `seconds`."""
    python = await asyncio.to_thread(script_environment, "nvitop", _LOCK)
    async with running(folder, _GPUS, with_model=False) as rig:
        processes = Processes(folder / "logs-nvitop", f"bench-nvitop-{folder.name}")
        port = free_port()
        command = [str(python.parent / "nvitop-exporter"), "--hostname", HOST]
        command += ["--port", str(port)]
        try:
            exporter = await processes.start(
                "nvitop-exporter", [*command, "--interval", "1"], rig.gpus.environment
            )
            await until_open(port, exporter, 60)
            await asyncio.sleep(_SETTLE_S)
            say(f"bridge and nvitop-exporter, {_GPUS} fake GPUs at 1 Hz, {seconds:.0f} s")
            pids = {"bridge": rig.bridge.pid, "nvitop_exporter": exporter.pid}
            before = {name: cpu_seconds(pid) for name, pid in pids.items()}
            await asyncio.sleep(seconds)
            figures: dict[str, float] = {}
            for name, pid in pids.items():
                used_s = cpu_seconds(pid) - before[name]
                figures[f"{name}_cpu_percent"] = 100 * used_s / seconds
                figures[f"{name}_rss_mb"] = resident_mb(pid)
            return figures
        finally:
            await processes.stop_all()


def cpu_seconds(pid: int) -> float:
    """Return the CPU time a process has used, all its threads together (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float:
    """Return a process's resident memory in MB (10^6 bytes)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise ProcessLookupError(pid)
