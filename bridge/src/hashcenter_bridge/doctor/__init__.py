"""`hashcenter doctor`: looks at one thing after the other and says what to repair, in sentences.

Each check is a function that returns findings; the modules beside this one hold those of one
subject. None changes anything on the rig: what is tried is tried with what is set already, or under
names that nobody has.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Final, TypeAlias

from .. import build, config
from ..config import Config, Source
from ..errors import BridgeError
from ..finding import Finding
from . import broker, devices, machine, models

Check: TypeAlias = Callable[[Config, Source], Awaitable[list[Finding]]]

_MARK: Final = {"ok": "ok      ", "warning": "warning ", "failed": "FAILED  "}
#: In the order of the report.
_CHECKS: Final[tuple[Check, ...]] = (
    machine.folders,
    machine.masters,
    devices.driven,
    devices.asics,
    models.weights,
    models.network,
    broker.lets_in,
)


async def examine(path: Path, *, as_json: bool) -> int:
    """Print the report and return the exit code: 0 when nothing failed."""
    findings = await look(path)
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            print(f"{_MARK[finding.result]} {finding.check}: {finding.text}")
    return int(any(finding.result == "failed" for finding in findings))


async def look(path: Path) -> list[Finding]:
    """Return what there is to say of the rig whose owner's file this is."""
    try:
        settings, source = config.load(path)
        build.check(settings, source)
    except BridgeError as err:
        return [Finding("configuration", "failed", str(err))]
    findings = [Finding("configuration", "ok", f"{path} is understood")]
    for check in _CHECKS:
        findings += await check(settings, source)
    return findings
