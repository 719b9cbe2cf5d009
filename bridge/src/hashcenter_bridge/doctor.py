"""`hashcenter doctor`: looks at one thing after the other and says what to repair, in sentences.

Each check is a function that returns findings; none changes anything on the rig.
"""

import json
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from . import build, config, locality, mqtt, mqtt_probe
from .config import Config, Source
from .devices import Sample
from .errors import BridgeError, DeviceFault, PluginUnavailable, RunnerFault
from .fleet import console
from .fleet.console import knob
from .plugin import PluginContext

_MARK = {"ok": "ok      ", "warning": "warning ", "failed": "FAILED  "}
_LOW_DISK_BYTES = 200_000_000


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    check: str
    result: Literal["ok", "warning", "failed"]
    text: str


async def examine(path: Path, *, as_json: bool) -> int:
    """Print the report and return the exit code: 0 when nothing failed."""
    findings = await _examine(path)
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            print(f"{_MARK[finding.result]} {finding.check}: {finding.text}")
    return int(any(finding.result == "failed" for finding in findings))


async def _examine(path: Path) -> list[Finding]:
    try:
        settings, source = config.load(path)
        build.check(settings, source)
    except BridgeError as err:
        return [Finding("configuration", "failed", str(err))]
    findings = [Finding("configuration", "ok", f"{path} is understood")]
    checks: tuple[Callable[[Config, Source], Awaitable[list[Finding]]], ...] = (
        _folders,
        _devices,
        _asics,
        _weights,
        _network,
        _broker,
    )
    for check in checks:
        findings += await check(settings, source)
    return findings


async def _folders(settings: Config, _: Source) -> list[Finding]:
    findings = []
    for name, folder in (
        ("state_folder", settings.rig.state_folder),
        ("runtime_folder", settings.rig.runtime_folder),
    ):
        existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
        free = shutil.disk_usage(existing).free
        result: Literal["ok", "warning"] = "ok" if free > _LOW_DISK_BYTES else "warning"
        findings.append(Finding(name, result, f"{folder}, {free / 1e9:.1f} GB free"))
    return findings


async def _devices(settings: Config, source: Source) -> list[Finding]:
    context = PluginContext(settings.rig.state_folder, settings.rig.runtime_folder / "programs")
    findings: list[Finding] = []
    for driver in build.drivers(settings, source, context):
        try:
            found = await driver.probe()
            samples = await driver.read()
        except (PluginUnavailable, DeviceFault) as err:
            findings.append(Finding("devices", "failed", str(err)))
            continue
        for device in found:
            sample = samples.get(device.uid)
            if not isinstance(sample, Sample):
                text = str(sample) if sample else "gave no reading"
                findings.append(Finding(device.name, "failed", text))
                continue
            findings.append(_device(device.name, sample))
        await driver.close()
    if not findings and not settings.asic:
        findings.append(Finding("devices", "failed", "no device was found"))
    return findings


async def _asics(settings: Config, source: Source) -> list[Finding]:
    context = PluginContext(settings.rig.state_folder, settings.rig.runtime_folder)
    findings = []
    for visit in await console.visit_all(build.asics(settings, source), context):
        name = f"asic {visit.config.name or visit.config.address}"
        if visit.device is None:
            text = visit.fault.text if visit.fault else "does not answer"
            findings.append(Finding(name, "failed", text))
            continue
        words = f"{visit.device.model or visit.device.name}: {knob(visit.device.capabilities)}"
        findings.append(Finding(name, "ok", words))
    return findings


def _device(name: str, sample: Sample) -> Finding:
    readings = sample.readings
    if readings.power_w is None:
        why = readings.missing.get("power_w", "no reason given")
        return Finding(name, "warning", f"does not say what it draws ({why})")
    counter = "with" if sample.energy_counter_j is not None else "without"
    text = f"draws {readings.power_w:.0f} W, {counter} an energy counter"
    if sample.foreign:
        return Finding(name, "warning", f"{text}; another program uses it, so it will not hash")
    return Finding(name, "ok", text)


async def _weights(settings: Config, source: Source) -> list[Finding]:
    context = PluginContext(settings.rig.state_folder, settings.rig.runtime_folder / "programs")
    findings = []
    try:
        runners = build.runners(
            Config(rig=settings.rig, runner=_without_gpus(settings.runner)), source, context, ()
        )
    except BridgeError as err:
        return [Finding("runners", "failed", str(err))]
    for runner in runners:
        try:
            await runner.verify()
            text = "its weights are in order" if runner.child else "its server answers"
            findings.append(Finding(f"runner {runner.name}", "ok", text))
        except RunnerFault as fault:
            findings.append(Finding(f"runner {runner.name}", "failed", fault.text))
        await runner.close()
    return findings


async def _network(settings: Config, _: Source) -> list[Finding]:
    """Whether models can run where nothing they are asked can leave."""
    if not settings.runner:
        return []
    if (why := await locality.possible()) is None:
        return [Finding("network of models", "ok", "they can run without any")]
    return [Finding("network of models", "warning", f"{why}; docs/security.md says what to do")]


def _without_gpus(blocks: tuple[dict[str, object], ...]) -> tuple[dict[str, object], ...]:
    """Weights are checked whatever GPUs there are."""
    return tuple({**block, "gpus": ()} for block in blocks)


async def _broker(settings: Config, _: Source) -> list[Finding]:
    try:
        why = await mqtt.refusal(settings.mqtt)
    except BridgeError as err:
        why = str(err)
    where = f"{settings.mqtt.host}:{settings.mqtt.the_port}"
    if why:
        return [Finding("broker", "failed", why)]
    findings = [Finding("broker", "ok", f"{where} speaks MQTT 5 and lets us in")]
    if settings.mqtt.is_exposed:
        text = "everybody in the network can listen and speak; docs/security.md has TLS"
        findings.append(Finding("broker", "warning", text))
    return findings + await _rights(settings)


async def _rights(settings: Config) -> list[Finding]:
    """What this rig's account may do at the broker, and what it should not be able to."""
    try:
        allowed = await mqtt_probe.ask(settings.mqtt, settings.rig.id)
    except (OSError, BridgeError) as err:
        return [Finding("broker's rights", "failed", f"could not be asked: {err}")]
    findings = []
    for may, needed in ((allowed.hear_requests, "hear requests"), (allowed.speak, "publish")):
        if may is False:
            text = f"this rig's account may not {needed}; correct the broker's access list"
            findings.append(Finding("broker's rights", "failed", text))
    for may, harm in (
        (allowed.speak_for_others, "pretend to be any other rig"),
        (allowed.command_others, "command every rig of the house"),
    ):
        if may:
            text = f"this rig's account may {harm}; docs/security.md has an access list"
            findings.append(Finding("broker's rights", "warning", text))
    return findings or [Finding("broker's rights", "ok", "its own words, and nothing else")]
