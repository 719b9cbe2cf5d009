"""`hashcenter doctor`: looks at one thing after the other and says what to repair, in sentences.

Each check is a function that returns findings; the modules beside this one hold those of one
subject. None changes anything on the rig: what is tried is tried with what is set already, or under
names that nobody has.
"""

import asyncio
import json
import shutil
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Final, TypeAlias

from .. import build, config
from ..config import Config, Source
from ..errors import BridgeError
from ..finding import Finding
from . import broker, bundle, devices, machine, models, table

Check: TypeAlias = Callable[[Config, Source], Awaitable[list[Finding]]]

#: In the order of the report.
_CHECKS: Final[tuple[Check, ...]] = (
    machine.user,
    machine.folders,
    machine.masters,
    devices.driven,
    devices.asics,
    models.weights,
    models.network,
    broker.lets_in,
)


async def examine(path: Path, *, as_json: bool, bundle_to: Path | None = None) -> int:
    """Print the report and return the exit code: 0 when nothing failed.

    With `bundle_to` everything that helps is put into that file. Raises BridgeError if it cannot.
    """
    findings = await look(path)
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        is_read = sys.stdout.isatty()
        width = shutil.get_terminal_size().columns
        print("\n".join(table.table(findings, width) if is_read else table.lines(findings)))
    if bundle_to is not None:
        made = await asyncio.to_thread(bundle.write, bundle_to, path, _settings(path), findings)
        print(f"Written without secrets: {made}. Read it before you show it.", file=sys.stderr)
    return int(any(finding.result == "failed" for finding in findings))


def _settings(path: Path) -> Config | None:
    """Return what the owner's file says, None for one that is wrong."""
    try:
        return config.load(path)[0]
    except BridgeError:
        return None


async def look(path: Path) -> list[Finding]:
    """Return what there is to say of the rig whose owner's file this is."""
    try:
        settings, source = config.load(path)
        build.check(settings, source)
    except BridgeError as err:
        return [Finding("configuration", "failed", str(err))]
    findings = [Finding("configuration", "ok", f"{path} is understood")]
    for check in _CHECKS:
        try:
            findings += await check(settings, source)
        except Exception as err:  # noqa: BLE001 - one check that fails must not hide the others
            about = f"{check.__module__.rpartition('.')[2]}, {check.__name__}"
            text = str(err) if isinstance(err, BridgeError) else f"a mistake of ours: {err!r}"
            findings.append(Finding(about, "failed", text))
    return findings
