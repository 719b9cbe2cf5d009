"""The command `hashcenter`: run the bridge, and ask about the rig it runs on.

Every mistake of a person ends here as one sentence on stderr and exit code 2, failures of the
machine as exit code 1; no traceback reaches anybody.
"""

import argparse
import logging
import sys
from collections.abc import Callable
from pathlib import Path

from . import __version__, local_pool
from .commands import devices, models, rig, services
from .errors import BridgeError, ConfigError, unforeseen


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    asked = _parser().parse_args(arguments)
    try:
        return int(asked.command(asked) or 0)
    except ConfigError as err:
        print(f"hashcenter: {err}", file=sys.stderr)
        return 2
    except BridgeError as err:
        print(f"hashcenter: {err}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 1
    except Exception as err:  # noqa: BLE001 - the last resort, so that nobody reads a traceback
        print(f"hashcenter: {_unforeseen(err)}", file=sys.stderr)
        return 1


def _unforeseen(err: BaseException) -> str:
    """Return what to say of an error that nobody caught; the log says more at level debug."""
    logging.getLogger(__name__).debug("the whole story:", exc_info=err)
    while isinstance(err, BaseExceptionGroup):
        err = err.exceptions[0]
    return str(err) if isinstance(err, BridgeError) else f"a mistake of ours: {unforeseen(err)}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hashcenter",
        description="Measures a rig, heats with its miners, answers with its own model.",
    )
    parser.add_argument("--version", action="version", version=f"hashcenter {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def add(
        name: str, command: Callable[[argparse.Namespace], int | None], text: str
    ) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(command=command)
        if name != "schema":
            sub.add_argument(
                "--config",
                type=Path,
                metavar="FILE",
                help="the owner's file (default: ./hashcenter.toml, then /etc/hashcenter/)",
            )
        return sub

    add("run", rig.run, "run the bridge until it is told to stop")
    check = add("doctor", rig.examine, "check this rig and say what to repair")
    check.add_argument("--json", action="store_true", help="print the findings as JSON")
    check.add_argument(
        "--bundle",
        type=Path,
        metavar="FILE.tar.gz",
        help="also put findings, settings, state and log into a file, without secrets",
    )
    show_key = add("key", rig.show_key, "print the key that Home Assistant asks for")
    show_key.add_argument("--renew", action="store_true", help="make a new key first")
    found = add("devices", devices.show, "list the devices that the configured plugins find")
    more = found.add_subparsers(title="more about ASICs", metavar="COMMAND")
    search = more.add_parser(
        "scan",
        help="look for ASICs on the networks you name",
        description="Look for ASICs on the networks you name and print blocks for the owner's "
        "file. Nothing else is asked, and nothing is written to a machine.",
    )
    search.add_argument("network", nargs="+", metavar="SUBNET", help="such as 192.168.1.0/24")
    search.add_argument(
        "--port", type=int, action="append", default=[], help="a port to ask besides the usual ones"
    )
    search.set_defaults(command=devices.look)
    pools = more.add_parser(
        "adopt",
        help="take an ASIC's pools as they are now for its owner's",
        description="Take an ASIC's pools as they are now for its owner's, so that they are no "
        "fault any longer.",
    )
    pools.add_argument("uid", metavar="MAC", help="as `hashcenter devices` prints it")
    # What was given before the subcommand stays.
    pools.add_argument("--config", type=Path, metavar="FILE", default=argparse.SUPPRESS)
    pools.set_defaults(command=devices.adopt)
    listed = add("models", models.ask, "list the configured models and check their weights")
    listed.add_argument(
        "action",
        nargs="?",
        choices=["add", "forget", "fit", "presets"],
        help="add: load this file only while it is what it is now; forget: whatever it is; "
        "fit: say whether it fits these GPUs; presets: models that are known, or one of them",
    )
    listed.add_argument("file", nargs="?", type=Path, help="a GGUF file, or a preset's name")
    listed.add_argument(
        "--context", type=int, default=8192, metavar="TOKENS", help="for fit and presets (8192)"
    )
    listed.add_argument(
        "--reread", action="store_true", help="hash every byte again: has the disk forgotten any?"
    )
    stop = add("stop", rig.stop, "stop everything that draws watts, until it is released")
    stop.add_argument("--release", action="store_true", help="release an earlier stop")
    add("unpair", rig.unpair, "forget the house this rig obeys")
    helper = add("powerd", services.powerd, "set GPU limits for an unprivileged bridge (as root)")
    helper.add_argument("--release", action="store_true", help="set the cards' factory defaults")
    pool = add(
        "pool",
        services.pool,
        "give miners throw-away work, so that they heat without internet",
    )
    pool.add_argument("--listen", default="127.0.0.1:3333", metavar="ADDRESS:PORT")
    pool.add_argument("--difficulty", type=float, default=local_pool.DIFFICULTY)
    setup = add("install", services.install, "run bridge and powerd as services (as root)")
    remove = add("uninstall", services.uninstall, "take away what `install` wrote (as root)")
    remove.add_argument("--purge", action="store_true", help="also what you wrote and its memory")
    for sub in (setup, remove):
        sub.add_argument("--show", action="store_true", help="only say what would be done")
        sub.add_argument("--root", type=Path, default=Path("/"), help="a folder that becomes /")
        # A package's own scripts say it: the services' files are the package's.
        sub.add_argument("--packaged", action="store_true", help=argparse.SUPPRESS)
    add("schema", rig.show_schema, "print the JSON Schema of the owner's file and of the wire")
    return parser


if __name__ == "__main__":
    sys.exit(main())
