"""Start the reference miner: `hashcenter-miner` or `python -m hashcenter_bridge.reference_miner`."""

from hashcenter_bridge.reference_miner.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
