"""What the commands of `hashcenter` do, by subject; `cli.py` says what they are called."""

import argparse

from .. import app, build, config, log
from ..config import Config, Source
from ..metering import Metering
from ..plugin import PluginContext
from ..store import Store


def load(asked: argparse.Namespace) -> tuple[Config, Source]:
    """Read the owner's file that a command names, and log as it says. Raises ConfigError."""
    settings, source = config.load(config.find(asked.config))
    log.set_up(settings.log.level, settings.log.format)
    return settings, source


async def probed(settings: Config, source: Source) -> Metering:
    """Probe the devices without touching the running bridge's files."""
    store = Store(
        settings.rig.state_folder, settings.rig.runtime_folder, lambda: 0.0, read_only=True
    )
    context = PluginContext(settings.rig.state_folder, settings.rig.runtime_folder / "programs")
    metering = Metering(
        build.drivers(settings, source, context),
        app.rules_of(settings),
        store,
        lambda: 0.0,
        lambda: None,
    )
    await metering.probe()
    for driver in metering.drivers:
        await metering.look(driver)
    return metering
