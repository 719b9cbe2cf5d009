"""Simulated ASICs: real servers with heat and power behind them, one for each protocol.

`python -m tests.simulators.asic --protocol axeos --address 127.0.0.20` runs one, `--count 8` that
many at consecutive addresses. They listen on loopback only.
"""

from .antminer import Antminer
from .avalon import Avalon
from .axeos import Axeos, NerdQAxe
from .bosminer import Bosminer
from .braiins import Braiins
from .cgminer import Cgminer
from .luxos import Luxos
from .server import Hostile, Options, Simulator
from .vnish import Vnish
from .whatsminer import WhatsminerV2, WhatsminerV3

_ALL: tuple[type[Simulator], ...] = (
    Axeos,
    NerdQAxe,
    Braiins,
    Luxos,
    Vnish,
    WhatsminerV2,
    WhatsminerV3,
    Antminer,
    Avalon,
    Bosminer,
    Cgminer,
)
PROTOCOLS: dict[str, type[Simulator]] = {one.protocol: one for one in _ALL}

__all__ = ["PROTOCOLS", "Hostile", "Options", "Simulator"]
