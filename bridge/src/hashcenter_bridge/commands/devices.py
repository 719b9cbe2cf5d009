"""`hashcenter devices`: what is there, what else is on the networks, whose pools are right."""

import argparse
import asyncio
import sys
from urllib.parse import quote

from .. import build, control
from ..devices.asic import normal_mac
from ..errors import BridgeError, ConfigError
from ..fleet import console, scan
from ..plugin import PluginContext
from . import load, probed


def show(asked: argparse.Namespace) -> None:
    """List the devices that the configured plugins find, and the ASICs that answer."""
    settings, source = load(asked)
    build.check(settings, source)

    async def show() -> None:
        metering = await probed(settings, source)
        for uid, watched in metering.watched.items():
            device, limit = watched.device, watched.device.capabilities.power_limit
            power_w = watched.readings.power_w
            knob = f"limit {limit.min_w:.0f}-{limit.max_w:.0f} W" if limit else "no power limit"
            draws = f"{power_w:.0f} W now" if power_w is not None else "watts unknown"
            print(f"{device.kind} {device.ordinal}  {device.model or device.name}  {draws}, {knob}")
            print(f"       {uid}")
        await metering.close()
        context = PluginContext(settings.rig.state_folder, settings.rig.runtime_folder)
        for visit in await console.visit_all(build.asics(settings, source), context):
            print("\n".join(console.lines_of_visit(visit)))

    asyncio.run(show())


def look(asked: argparse.Namespace) -> int:
    """Look for ASICs on the networks that are named; 1 if there is none."""
    hosts = scan.addresses(asked.network)
    plugins, missing = console.plugins()
    for sentence in missing:
        print(sentence, file=sys.stderr)

    def progress(done: int, of: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{done} of {of} addresses", end="", file=sys.stderr)

    found = asyncio.run(scan.sweep(hosts, plugins, ports=asked.port, progress=progress))
    if sys.stderr.isatty():
        print(file=sys.stderr)
    print("\n".join(console.lines_of_scan(found)), end="")
    print(f"{len(found)} ASICs at {len(hosts)} addresses.", file=sys.stderr)
    return 0 if found else 1


def adopt(asked: argparse.Namespace) -> None:
    """Take an ASIC's pools as they are now for its owner's. Raises BridgeError, ConfigError."""
    settings, _ = load(asked)
    uid = normal_mac(asked.uid) or asked.uid
    answer = control.ask(settings.rig.runtime_folder, "POST", f"/adopt/{quote(uid, safe='')}")
    if answer is None:
        raise BridgeError("the bridge does not run: it adopts the pools that it sees")
    if not answer.get("adopted"):
        raise ConfigError(f"no ASIC {asked.uid} answers just now; see `hashcenter devices`")
    print(f"The pools of {answer['adopted'][0]} are its owner's.")
