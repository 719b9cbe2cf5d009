"""`hashcenter doctor --bundle`: one file to show to somebody who helps, without secrets.

In it: the findings, the owner's file, what the bridge remembers, what it says of itself now, the
last of its log, versions, and what lies in its folders (names, never content). Questions and
answers are never in it: neither tasks nor prompts are read.
"""

import io
import json
import os
import platform
import stat
import subprocess
import sys
import tarfile
import time
import tomllib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from .. import __version__, control
from ..config import Config
from ..errors import BridgeError
from ..finding import Finding
from .redact import Redactor, parts_of, words_of

_LOG_LINES: Final = 3000
_LOG_WITHIN_S: Final = 20.0
_UNITS: Final = ("hashcenter", "hashcenter-powerd")
_MOST_FILES: Final = 500


def write(target: Path, file: Path, settings: Config | None, findings: Sequence[Finding]) -> Path:
    """Write the bundle and return where it is. Raises BridgeError when it cannot be written."""
    raw = _toml(file)
    kept = _kept(settings)
    redactor = Redactor(raw, _secrets(settings, kept))
    # ASICs are kept with their pools and workers.
    kept = {**kept, "asics": sorted(kept.get("asics") or {})}
    parts = {
        "findings.json": _json([asdict(one) for one in findings]),
        "hashcenter.json": _json(redactor.file),
        "state.json": _json(kept),
        "now.json": _json(_now(settings)),
        "versions.txt": "\n".join(_versions()),
        "folders.txt": "\n".join(_folders(settings)),
        **{f"{unit}.log": _log(unit) for unit in _UNITS},
    }
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with (
            os.fdopen(descriptor, "wb") as out,
            tarfile.open(fileobj=out, mode="w:gz") as bundle,
        ):
            for name, text in parts.items():
                content = redactor.text(text).encode(errors="replace")
                info = tarfile.TarInfo(f"hashcenter-doctor/{name}")
                info.size, info.mtime, info.mode = len(content), int(time.time()), 0o600
                bundle.addfile(info, io.BytesIO(content))
    except OSError as err:
        raise BridgeError(f"{target}: cannot be written ({err.strerror})") from None
    return target


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, sort_keys=True)


def _toml(file: Path) -> dict[str, Any]:
    """Return the owner's file; one that is none is described by its finding."""
    with suppress(OSError, ValueError):
        return tomllib.loads(file.read_text(encoding="utf-8"))
    return {}


def _kept(settings: Config | None) -> dict[str, Any]:
    if settings is not None:
        with suppress(OSError, ValueError):
            kept = json.loads((settings.rig.state_folder / "state.json").read_bytes())
            return kept if isinstance(kept, dict) else {}
    return {}


def _secrets(settings: Config | None, kept: dict[str, Any]) -> Iterable[str]:
    """Return what is known to be secret beside the owner's file: keys, pools and workers."""
    if settings is None:
        return
    for name in ("key", "key.before"):
        with suppress(OSError, UnicodeDecodeError):
            yield (settings.rig.state_folder / name).read_text().strip()
    asics = kept.get("asics")
    for asic in asics.values() if isinstance(asics, dict) else ():
        for word in words_of(asic.get("pools") if isinstance(asic, dict) else None):
            yield from parts_of(word)


def _now(settings: Config | None) -> Any:
    if settings is None:
        return None
    try:
        return control.ask(settings.rig.runtime_folder, "GET", "/status")
    except BridgeError as err:
        return str(err)


def _versions() -> list[str]:
    names = ("aiohttp", "aiomqtt", "nvidia-ml-py", "paho-mqtt", "pydantic", "xllamacpp")
    found = [f"hashcenter {__version__}", f"Python {sys.version}", platform.platform()]
    with suppress(OSError):
        found.append(platform.freedesktop_os_release().get("PRETTY_NAME", ""))
    for name in names:
        with suppress(metadata.PackageNotFoundError):
            found.append(f"{name} {metadata.version(name)}")
    return found


def _folders(settings: Config | None) -> list[str]:
    """Return what `ls` says of the bridge's folders; a task's name is a random number."""
    lines: list[str] = []
    if settings is None:
        return lines
    for folder in (settings.rig.state_folder, settings.rig.runtime_folder):
        with suppress(OSError):
            for path in sorted(folder.rglob("*"))[:_MOST_FILES]:
                about = path.lstat()
                mode = stat.filemode(about.st_mode)
                lines.append(f"{mode} {about.st_uid} {about.st_size:>12} {path}")
    return lines


def _log(unit: str) -> str:
    """Return the end of a service's log, or why there is none."""
    command = ("journalctl", "--no-pager", "--unit", unit, "--lines", str(_LOG_LINES))
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=_LOG_WITHIN_S, check=False, text=True,
            errors="replace",
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as err:
        return f"journalctl: {err}"
    return done.stdout or done.stderr
