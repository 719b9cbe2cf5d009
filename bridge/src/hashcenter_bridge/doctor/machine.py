"""The machine: who asks, its folders, and who else sets its GPUs."""

import asyncio
import os
import pwd
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
        text = f"{folder}, {free / 1e9:.1f} GB free"
        if not os.access(existing, os.W_OK):
            result, text = "failed", f"{text}; this user may not write to {existing}"
        elif result == "warning":
            text += ": make room, or energy is counted in memory only"
        findings.append(Finding(name, result, text))
    return findings


async def user(settings: Config, _: Source) -> list[Finding]:
    """Whether what follows is asked as the user that the bridge is."""
    me, folder = _name(os.geteuid()), settings.rig.state_folder
    try:
        owner = _name(folder.stat().st_uid)
    except OSError:
        return []  # it never ran, so it may become anybody
    if owner == me:
        return [Finding("user", "ok", f"{me}, as the bridge")]
    text = f"you are {me}, the bridge is {owner}, who may do other things: ask as that user"
    return [Finding("user", "warning", f"{text}, `sudo -u {owner} hashcenter doctor`")]


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


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
