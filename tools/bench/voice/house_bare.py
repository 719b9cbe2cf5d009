"""llama.cpp's server alone, on a port, with the flags that the bridge gives it but one.

`python -m tools.bench.voice.house_bare PORT SETTINGS` serves until killed.
"""

import json
import signal
import sys
from importlib import import_module
from typing import Any

from hashcenter_bridge.runners.xllamacpp_child import params

xllamacpp: Any = import_module("xllamacpp")


def main() -> None:
    """Serve."""
    made = params(json.loads(sys.argv[2]))
    made.hostnames = ["127.0.0.1"]
    made.port = int(sys.argv[1])
    # llama.cpp's own default: it helps who names no slot, and hurts who does, as the bridge.
    made.cache_idle_slots = True
    server = xllamacpp.Server(made)
    while server:
        signal.pause()


if __name__ == "__main__":
    main()
