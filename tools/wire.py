"""`./dev wire`: copies the wire into the integration and writes its JSON Schema; --check compares.

The bridge's `wire` package is the one definition. The integration is installed as a bare folder,
so it carries the same bytes; docs/wire/schema.json is what the bridge itself says about them.
"""

import argparse
import json
import sys
from pathlib import Path

from hashcenter_bridge.wire import schema
from tools.paths import ROOT, WIRE, WIRE_COPY, WIRE_SCHEMA


def wanted_files() -> dict[Path, bytes]:
    """Return what the copy and the schema should be."""
    described = json.dumps(schema.wire(), indent=2, sort_keys=True) + "\n"
    copies = {WIRE_COPY / source.name: source.read_bytes() for source in WIRE.glob("*.py")}
    return {**copies, WIRE_SCHEMA: described.encode()}


def differences() -> list[str]:
    """Name every file that is not what `./dev wire` would write; empty if all are."""
    wanted = wanted_files()
    stale = [path for path, content in wanted.items() if _content(path) != content]
    return [str(path.relative_to(ROOT)) for path in [*stale, *_left_over(wanted)]]


def write() -> None:
    """Make the copy and the schema what they should be."""
    wanted = wanted_files()
    for path in _left_over(wanted):
        path.unlink()
    for path, content in wanted.items():
        if _content(path) != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            print(f"wrote {path.relative_to(ROOT)}")


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _left_over(wanted: dict[Path, bytes]) -> list[Path]:
    return [path for path in WIRE_COPY.glob("*.py") if path not in wanted]


def main() -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(prog="./dev wire", description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, change nothing")
    arguments = parser.parse_args()
    if not arguments.check:
        write()
        return 0
    stale = differences()
    for name in stale:
        print(f"{name} is not what the bridge's wire says; run `./dev wire`.", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
