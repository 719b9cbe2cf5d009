"""The root program: `hashcenter powerd` starts it in an interpreter of its own."""

import argparse
import asyncio
import logging
import os
import sys
from pathlib import Path

from ..errors import BridgeError, ConfigError
from .client import Client
from .rules import DEFAULT_PATH, load
from .server import run


def main() -> int:
    """Run powerd, or release the limits; return the exit code."""
    parser = argparse.ArgumentParser(prog="hashcenter powerd")
    parser.add_argument("--config", type=Path, default=DEFAULT_PATH)
    parser.add_argument("--release", action="store_true")
    asked = parser.parse_args()
    logging.basicConfig(level="INFO", format="%(levelname)s %(name)s: %(message)s")
    os.umask(0o077)
    try:
        rules = load(asked.config)
        if asked.release:
            asyncio.run(Client(rules.socket).release())
            sys.stdout.write("Every card has its factory default, until a bridge asks again.\n")
        else:
            run(rules)
    except BridgeError as err:
        sys.stderr.write(f"hashcenter powerd: {err}\n")
        return 2 if isinstance(err, ConfigError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
