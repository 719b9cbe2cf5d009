"""Start the reference miner: `hashcenter-miner`, or this package run as a module."""

from .cli import main

if __name__ == "__main__":
    raise SystemExit(main())
