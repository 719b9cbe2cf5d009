"""The machine: its folders, and who else sets its GPUs."""

import asyncio
import shutil
from typing import Final

from .. import masters as others
from ..config import Config, Source
from ..finding import Finding, Result

_LOW_DISK_BYTES: Final = 200_000_000


async def folders(settings: Config, _: Source) -> list[Finding]:
    """Room on the disks."""
    findings = []
    for name, folder in (
        ("state_folder", settings.rig.state_folder),
        ("runtime_folder", settings.rig.runtime_folder),
    ):
        existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
        free = shutil.disk_usage(existing).free
        result: Result = "ok" if free > _LOW_DISK_BYTES else "warning"
        findings.append(Finding(name, result, f"{folder}, {free / 1e9:.1f} GB free"))
    return findings


async def masters(settings: Config, _: Source) -> list[Finding]:
    """Other programs that set this machine's GPUs: as long as there is one, control is refused."""
    if not any(block.get("plugin") == "nvml" for block in settings.device):
        return []
    found = await asyncio.to_thread(others.find)
    if not found:
        return [Finding("other masters", "ok", "nobody else sets these GPUs")]
    return [
        Finding(
            f"other masters: {one.name}",
            "failed",
            f"{', '.join(one.does)}; control is refused until it is off. As root (`sudo -i`): "
            + "; ".join(f"`{command}`" for command in one.off),
        )
        for one in found
    ]
