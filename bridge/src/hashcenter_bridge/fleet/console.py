"""ASICs on the command line: what each block of the owner's file reaches, and what a scan found."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from ..devices.asic import READ_WITHIN_S, AsicConfig, AsicPlugin, AsicSample
from ..errors import DeviceFault, PluginUnavailable
from ..plugin import PluginContext
from ..registry import load, names
from ..wire.messages import Device
from ..wire.values import Capabilities, PowerSource
from .scan import Found, Plugins


@dataclass(frozen=True)
class Visit:
    """One look at the machine of a block: who it is and how, or why that is not known."""

    config: AsicConfig
    device: Device | None = None
    sample: AsicSample | None = None
    fault: DeviceFault | None = None


async def visit_all(
    blocks: Sequence[tuple[AsicPlugin, AsicConfig]], context: PluginContext
) -> list[Visit]:
    """Look once at the machine of every block, at all of them at once. Nothing is written."""
    return await asyncio.gather(*(_visit(plugin, one, context) for plugin, one in blocks))


async def _visit(plugin: AsicPlugin, config: AsicConfig, context: PluginContext) -> Visit:
    driver = plugin(config, context)
    try:
        async with asyncio.timeout(READ_WITHIN_S):
            device = await driver.probe()
            return Visit(config, device, await driver.read())
    except DeviceFault as fault:
        return Visit(config, fault=fault)
    except TimeoutError:
        why = f"{config.address} does not answer within {READ_WITHIN_S:.0f} s"
        return Visit(config, fault=DeviceFault("unreachable", why))
    finally:
        await driver.close()


def plugins() -> tuple[Plugins, list[str]]:
    """Return the drivers that can be loaded here, and a sentence for each that cannot."""
    found, missing = {}, []
    for name in names("asics"):
        try:
            found[name] = load("asics", name)
        except PluginUnavailable as err:
            missing.append(str(err))
    return found, missing


def lines_of_visit(visit: Visit) -> list[str]:
    """Return what `hashcenter devices` prints of a machine."""
    if visit.device is None or visit.sample is None:
        fault = visit.fault.text if visit.fault else "it does not answer"
        return [f"asic    {visit.config.name or visit.config.address}  {fault}"]
    device, power_w = visit.device, visit.sample.readings.power_w
    draws = f"{power_w:.0f} W now" if power_w is not None else "watts unknown"
    name = visit.config.name or device.model or device.name
    return [
        f"asic    {name}  {visit.sample.activity}, {draws}, {knob(device.capabilities)}",
        f"       {device.uid} at {visit.config.address}",
    ]


def lines_of_scan(found: Sequence[Found]) -> list[str]:
    """Return what `hashcenter devices scan` prints: who was found, and blocks to copy."""
    lines = []
    for one in found:
        device = one.device
        firmware = f" ({device.firmware})" if device.firmware else ""
        # What it can do is known only once its own driver has spoken with it: `hashcenter devices`.
        asks = "" if device.uid != one.address else ": it says who it is only to those who log in"
        lines.append(f"# {device.model or device.name}{firmware}{asks}")
        lines += ["[[asic]]", f'plugin = "{one.plugin}"', f'address = "{one.address}"']
        if one.port is not None:
            lines.append(f"port = {one.port}")
        if device.mac is not None:
            lines.append(f'mac = "{device.mac}"')
        lines.append("")
    return lines


def knob(can: Capabilities) -> str:
    """Return in words what can be set on a machine."""
    if can.power_limit:
        text = f"{can.power_limit.min_w:.0f}-{can.power_limit.max_w:.0f} W"
    elif can.percent:
        text = f"{can.percent.min_percent:.0f}-{can.percent.max_percent:.0f} %"
    elif can.steps:
        text = f"{len(can.steps)} steps up to {max(one.power_w for one in can.steps):.0f} W"
    else:
        text = "no knob"
    if can.can_pause:
        text += ", can pause"
    return text if can.power_source == PowerSource.MEASURED else f"{text}, watts {can.power_source}"
