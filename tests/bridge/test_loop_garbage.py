"""Whatever a broker sends, the loop goes on and the rig stays within its watts."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.bridge.rigs import Bench, Devices, Hasher, gpu

asked_for: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"kind": st.sampled_from(["lease", "release", "stop_all", "restart_device", "nonsense"])},
    optional={
        "heater": st.sampled_from(["attic", "cellar", "\x00" * 120]),
        "uid": st.sampled_from(["GPU-0", "\x00" * 120]),
        "power_w": st.floats(-1.0, 1e7) | st.text(max_size=2),
        "cap_w": st.none() | st.floats(0.0, 1e7),
        "ttl_s": st.floats(0.0, 4000.0),
        "favor": st.sampled_from(["hashing", "inference", "gaming"]),
        "engaged": st.booleans(),
        "controller": st.sampled_from(["house", "neighbor"]),
        "tick": st.sampled_from([0.0, -1.0, 1e300]),
        "boot_id": st.just("other"),
    },
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(asked_for, st.booleans(), st.binary(max_size=20)), max_size=12))
def test_whatever_a_broker_sends_the_rig_goes_on_and_within_its_watts(
    tmp_path_factory: pytest.TempPathFactory,
    messages: list[tuple[dict[str, Any], bool, bytes]],
) -> None:
    async def play() -> None:
        bench = Bench(tmp_path_factory.mktemp("rig"), max_w=400.0)
        bench.devices = Devices(gpu(can_restart=True))
        bench.miners = [Hasher()]
        await bench.start()
        for number, (asked, retained, noise) in enumerate(messages):
            known = {
                "id": "q", "boot_id": "boot", "tick": bench.now, "controller": "house",
                "seq": number + 1, "heater": "attic", "power_w": 300.0, "uid": "GPU-0",
            }  # fmt: skip
            bench.loop.heard(json.dumps({**known, **asked}).encode(), retained=retained)
            bench.loop.heard(noise, retained=retained)
            await bench.step()
            assert all(100.0 <= power_w <= 350.0 for _, power_w in bench.devices.limits)
            state = bench.line.last("state")
            assert (state.heaters[0].target_w or 0.0) <= 400.0

    asyncio.run(play())
