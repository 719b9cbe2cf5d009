"""`hashcenter run`, `doctor`, `key`, `stop`, `unpair`, `schema`: this rig and who it obeys."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .. import app, build, config, control, doctor, key
from ..alone import alone
from ..config import Config
from ..devices.asic import AsicConfig
from ..errors import BridgeError
from ..registry import Family, names
from ..store import Kept, Store, make_folder
from ..wire import schema
from . import load


def run(asked: argparse.Namespace) -> None:
    """Run the bridge until it is told to stop."""
    settings, source = load(asked)
    build.check(settings, source)
    os.umask(0o077)
    asyncio.run(app.run(settings, source))


def examine(asked: argparse.Namespace) -> int:
    """Check this rig; 1 if something is to be repaired."""
    return asyncio.run(
        doctor.examine(config.find(asked.config), as_json=asked.json, bundle_to=asked.bundle)
    )


def show_key(asked: argparse.Namespace) -> None:
    """Print the key that Home Assistant asks for, a new one if that is wished."""
    settings, _ = load(asked)
    folder = make_folder(settings.rig.state_folder, "state_folder")
    print(key.renew(folder) if asked.renew else key.read_or_make(folder))
    if asked.renew:
        print("It holds at once; the one before is taken for another week.", file=sys.stderr)


def stop(asked: argparse.Namespace) -> None:
    """Stop everything that draws watts, or release an earlier stop."""
    settings, _ = load(asked)
    action = "/release" if asked.release else "/stop"
    if control.ask(settings.rig.runtime_folder, "POST", action) is None:
        # The latch is kept on disk, so a bridge that is started later finds it.
        with _kept(settings) as kept:
            kept.stopped = not asked.release
        print("The bridge does not run; it will find this when it starts.")
    print("Released." if asked.release else "Stopped, until `hashcenter stop --release`.")


@contextmanager
def _kept(settings: Config) -> Iterator[Kept]:
    """Change what a bridge that does not run now will find. Raises BridgeError if it starts."""
    folder = make_folder(settings.rig.state_folder, "state_folder")
    with alone(folder, "state_folder"):
        store = Store(folder, settings.rig.runtime_folder, lambda: 0.0)
        yield store.kept
        store.save()
    if store.failure:
        raise BridgeError(store.failure)


def unpair(asked: argparse.Namespace) -> None:
    """Forget the house that this rig obeys."""
    settings, _ = load(asked)
    answer = control.ask(settings.rig.runtime_folder, "POST", "/unpair")
    if answer is None:
        with _kept(settings) as kept:
            kept.controller = None
    print("The next house that asks is obeyed.")


def show_schema(_: argparse.Namespace) -> None:
    """Print the JSON Schema of the owner's file and of the wire."""
    families: tuple[Family, ...] = ("devices", "asics", "runners", "miners")
    plugins = {family: names(family) for family in families}
    print(
        json.dumps(
            {
                "wire": schema.wire(),
                "config": Config.model_json_schema(),
                "asic": AsicConfig.model_json_schema(),
                "plugins": plugins,
            },
            indent=2,
            sort_keys=True,
        )
    )
