"""What runs by itself: `hashcenter powerd`, `pool`, `install`, `uninstall`."""

import argparse
import asyncio
import os
import sys

from .. import local_pool, log
from ..config import DEFAULT_PATHS
from ..errors import ConfigError
from ..system import install as steps, plan as installation


def powerd(asked: argparse.Namespace) -> None:
    """Become the program that sets GPU limits."""
    # In a fresh interpreter: what runs as root has nothing of the bridge's network in it.
    options = ["--config", str(asked.config)] if asked.config else []
    options += ["--release"] if asked.release else []
    os.execv(  # noqa: S606 - no shell is the point
        sys.executable, [sys.executable, "-I", "-m", "hashcenter_bridge.powerd", *options]
    )


def pool(asked: argparse.Namespace) -> None:
    """Give miners throw-away work. Raises ConfigError."""
    log.set_up("info", "text")
    if not 0 < asked.difficulty < 2**48:
        raise ConfigError("--difficulty: it has to be more than 0 and less than 2^48")
    asyncio.run(local_pool.run(asked.listen, asked.difficulty))


def install(asked: argparse.Namespace) -> None:
    """Write the services, or say what would be written. Raises BridgeError."""
    if not asked.show:
        steps.need_root(asked.root)
    plan = _installation(asked)
    steps.refuse_two(plan)
    done = steps.carry_out(steps.install_steps(plan), print, only_show=asked.show)
    if done == 0:
        print("Everything is installed already.")
    elif not asked.show:
        print(
            "Now write your rig's file, then: systemctl enable --now hashcenter-powerd hashcenter"
        )


def uninstall(asked: argparse.Namespace) -> None:
    """Take away what `install` wrote, or say what would be. Raises BridgeError."""
    if not asked.show:
        steps.need_root(asked.root)
    wanted = steps.uninstall_steps(_installation(asked), purge=asked.purge)
    steps.carry_out(wanted, print, only_show=asked.show)


def _installation(asked: argparse.Namespace) -> installation.Plan:
    config_file = asked.config or DEFAULT_PATHS[-1]
    return installation.plan(asked.root, config_file, packaged=asked.packaged)
