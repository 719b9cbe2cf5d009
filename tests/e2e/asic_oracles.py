"""What two other projects' libraries make of the ASICs at some addresses, as one JSON object.

Runs in an environment of its own (tools/locks/asic-oracles.lock), by its path and without the
bridge: `python asic_oracles.py 127.0.0.20 127.0.0.21`.
"""

import asyncio
import importlib
import json
import sys
from typing import Any

_WITHIN_S = 30.0


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


async def by_pyasic_rs(address: str) -> dict[str, Any] | None:
    """Return what pyasic-rs says of a machine, None if it knows none there."""
    library = importlib.import_module("pyasic_rs")
    miner = await library.MinerFactory().get_miner(address)
    if miner is None:
        return None
    data = await miner.get_data()
    info = data.device_info
    return {
        "model": _text(info.model),
        "firmware": _text(info.firmware),
        "mac": _text(data.mac),
        "power_w": data.wattage,
        "hash_rate": _text(data.hashrate),
        "mining": data.is_mining,
    }


async def by_pyasic(address: str) -> dict[str, Any] | None:
    """Return what pyasic says of a machine, None if it knows none there."""
    library = importlib.import_module("pyasic")
    miner = await library.get_miner(address)
    if miner is None:
        return None
    data = await miner.get_data()
    rate = data.hashrate
    return {
        "model": _text(data.model),
        "firmware": _text(data.firmware),
        "mac": _text(data.mac),
        "power_w": data.wattage,
        "hash_rate": _text(rate),
        "mining": data.is_mining,
    }


async def opinions(address: str) -> dict[str, Any]:
    """Return what each says; what it raised counts as its opinion."""
    found: dict[str, Any] = {}
    for name, ask in (("pyasic_rs", by_pyasic_rs), ("pyasic", by_pyasic)):
        try:
            async with asyncio.timeout(_WITHIN_S):
                found[name] = await ask(address)
        except Exception as err:  # noqa: BLE001 - somebody else's program may raise anything
            found[name] = {"error": f"{type(err).__name__}: {err}"[:300]}
    return found


async def main() -> None:
    """Ask all, print all."""
    told = {address: await opinions(address) for address in sys.argv[1:]}
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
