"""What draws watts: whether it is found, read, and what its driver says of it."""

from .. import build
from ..config import Config, Source
from ..devices import Examined, Sample
from ..errors import DeviceFault, PluginUnavailable
from ..finding import Finding
from ..fleet import console
from ..fleet.console import knob
from ..plugin import PluginContext

#: For how long energy and watts are compared.
WATCH_S = 5.0


async def driven(settings: Config, source: Source) -> list[Finding]:
    """Each device of this machine, by one look at it."""
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
            findings.append(judged(device.name, sample))
        if isinstance(driver, Examined):
            try:
                findings += await driver.checkup(WATCH_S, needed=settings.rig.allow_control)
            except DeviceFault as fault:
                findings.append(Finding("devices", "failed", fault.text))
        await driver.close()
    if not findings and not settings.asic:
        findings.append(Finding("devices", "failed", "no device was found"))
    return findings


def judged(name: str, sample: Sample) -> Finding:
    """Return what one look at a device says of it."""
    readings = sample.readings
    if readings.power_w is None:
        why = readings.missing.get("power_w", "no reason given")
        text = f"does not say what it draws ({why}): count its watts in [rig] base_w"
        return Finding(name, "warning", text)
    counter = "with" if sample.energy_counter_j is not None else "without"
    text = f"draws {readings.power_w:.0f} W, {counter} an energy counter"
    if sample.foreign:
        return Finding(name, "warning", f"{text}; another program uses it, so it will not hash")
    return Finding(name, "ok", text)


async def asics(settings: Config, source: Source) -> list[Finding]:
    """What each `[[asic]]` block reaches."""
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
