"""How long one decision takes: 20 rigs with 8 heaters each, in random states.

Every state is drawn anew (what is online, what draws what, what rooms want), and the memory of one
decision goes into the next, so that rare branches are met, too.
"""

import gc
import random
import statistics
import time
from typing import Final

from custom_components.hashcenter.control.decide import decide
from custom_components.hashcenter.control.requests import HeaterKey
from custom_components.hashcenter.control.seen import (
    CircuitSeen,
    HeaterSeen,
    HouseSeen,
    HvacMode,
    LeaseSeen,
    Meter,
    MoneySeen,
    OutsideDemand,
    Pace,
    PeakEvent,
    Quiet,
    RoomSeen,
    Thermometer,
)
from custom_components.hashcenter.control.state import State
from custom_components.hashcenter.wire.values import Effect, Favor

RIGS: Final = 20
HEATERS: Final = 8
_ROOMS: Final = 10
_START: Final = 1_700_000_000.0


def measure(states: int, seed: int) -> dict[str, float]:
    """Return median and 99th percentile of `states` decisions in milliseconds of processor time."""
    rng = random.Random(seed)  # noqa: S311 - nothing secret
    state = State()
    took: list[float] = []
    gc.collect()
    for number in range(states):
        seen = random_house(rng)
        began = time.process_time()
        state, _ = decide(state, seen, _START + 60.0 * number)
        took.append((time.process_time() - began) * 1_000.0)
    cuts = statistics.quantiles(took, n=100)
    return {"decide_ms_median": statistics.median(took), "decide_ms_p99": cuts[98]}


def random_house(rng: random.Random) -> HouseSeen:
    """Return a large house in any state at all."""
    rooms = tuple(
        RoomSeen(
            id=f"room{index}",
            name=f"Room {index}",
            mode=HvacMode.HEAT if rng.random() < 0.9 else HvacMode.OFF,
            target_c=rng.uniform(16.0, 23.0),
            thermometer=Thermometer(
                rng.uniform(3.0, 30.0) if rng.random() < 0.95 else None, rng.uniform(0.0, 1800.0)
            ),
            windows_open=rng.random() < 0.05,
            ceiling_c=rng.choice([None, 25.0]),
            child=rng.random() < 0.1,
            quiet=Quiet(1_500.0) if rng.random() < 0.05 else None,
            backup_heats=rng.random() < 0.05,
        )
        for index in range(_ROOMS)
    )
    circuits = [CircuitSeen("main", "Main", 230.0, 400.0)]
    circuits += [
        CircuitSeen(
            id=f"circuit{index}",
            name=f"Circuit {index}",
            volts=230.0,
            amps=rng.choice([16.0, 32.0, 63.0]),
            parent="main",
            others_w=rng.choice([0.0, 2000.0]),
            meter=Meter(rng.uniform(0.0, 2000.0), rng.uniform(0.0, 150.0)),
            tripped=rng.random() < 0.02,
        )
        for index in range(RIGS)
    ]
    heaters = tuple(_heater(rng, rig, heater) for rig in range(RIGS) for heater in range(HEATERS))
    return HouseSeen(
        rooms=rooms,
        heaters=heaters,
        circuits=tuple(circuits),
        outdoor=Thermometer(rng.uniform(-15.0, 15.0)),
        money=MoneySeen(
            price_per_kwh=rng.uniform(0.05, 0.4),
            hash_value_per_th_day=0.035,
            inference_value_per_mtoken=0.3,
            peak=rng.choice(
                [
                    None,
                    None,
                    None,
                    PeakEvent(active=True),
                    PeakEvent(active=False, starts_in_s=900.0),
                ]
            ),
            on_generator=rng.random() < 0.05,
        ),
        favor=rng.choice(list(Favor)),
        stop_all=rng.random() < 0.01,
    )


def _heater(rng: random.Random, rig: int, number: int) -> HeaterSeen:
    slow = number > 0
    max_w = rng.uniform(800.0, 3500.0)
    idle_w = rng.uniform(10.0, 100.0)
    power_w = rng.uniform(0.0, max_w)
    return HeaterSeen(
        key=HeaterKey(f"rig{rig}", f"heater{number}"),
        name=f"Heater {number}",
        pace=Pace.SLOW if slow else Pace.FAST,
        room=f"room{rng.randrange(_ROOMS)}" if rng.random() < 0.95 else None,
        circuit=f"circuit{rig}",
        also_rooms=(f"room{rng.randrange(_ROOMS)}",) if rng.random() < 0.05 else (),
        idle_w=idle_w,
        min_w=max_w * 0.4,
        max_w=max_w,
        unattended_w=idle_w,
        boot_peak_w=max_w if slow else None,
        step_w=50.0 if slow else 1.0,
        can_answer=not slow,
        online=rng.random() < 0.97,
        available_w=max_w if rng.random() < 0.9 else 0.0,
        power_w=power_w,
        mean_w=power_w,
        possible_w=None if slow else power_w,
        hashing=rng.random() < 0.6,
        starting=rng.random() < 0.05,
        questions=rng.choice([0, 0, 0, 2]),
        effect=rng.choice(list(Effect)),
        lease=LeaseSeen(power_w) if rng.random() < 0.8 else None,
        outside=OutsideDemand(500.0, _START + 1e9) if rng.random() < 0.03 else None,
        hands_off=rng.random() < 0.02,
        may_hash_for_money=rng.random() < 0.1,
        j_per_th=rng.choice([15.0, 20.0, 30.0]),
        tokens_per_joule=0.1,
    )
