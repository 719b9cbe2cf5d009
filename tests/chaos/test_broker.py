"""The broker ends, forgets, remembers too well, or stands still: the rig is back within 5 s."""

import asyncio
import time
from pathlib import Path

import pytest

from tests.chaos.scene import HEATING_W, Figure, scene

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

RECONNECT_S = 5.0


@pytest.mark.parametrize("persistence", [False, True], ids=["forgets", "remembers"])
async def test_a_broker_that_restarts_has_its_rig_back_in_five_seconds(
    tmp_path: Path, fake_nvml: Path, figure: Figure, persistence: bool
) -> None:
    async with scene(tmp_path, fake_nvml, figure, persistence=persistence) as on:
        await on.heat()
        boot = on.home.state.boot_id if on.home.state else ""
        for _ in range(2):
            await on.broker.restart()
            back_s = await on.back(time.monotonic())
            figure("reconnect_s_max", back_s)
            assert back_s <= RECONNECT_S
        assert (tmp_path / "mosquitto.db").exists() is persistence
        assert on.meter.power_w > HEATING_W  # the lease is still in force
        assert {word.said["boot_id"] for word in on.witness.of("state")} == {boot}


async def test_a_broker_that_stands_still_executes_nothing_late(
    tmp_path: Path, fake_nvml: Path, figure: Figure, long: bool
) -> None:
    async with scene(tmp_path, fake_nvml, figure) as on:
        await on.heat()
        late = await on.home.write("lease", power_w=150.0)
        on.broker.freeze()
        sending = asyncio.create_task(on.home.send(late))
        await asyncio.sleep(30.0 if long else 12.0)
        assert on.meter.power_w > HEATING_W
        on.broker.thaw()
        thawed = time.monotonic()
        figure("reconnect_s_max", back_s := await on.back(thawed))
        assert back_s <= RECONNECT_S
        await asyncio.gather(sending, return_exceptions=True)  # its own patience may have ended
        word = await on.witness.until(
            lambda: next(
                (one for one in on.witness.of("response") if one.said["id"] == late["id"]), None
            )
        )
        figure("requests_executed_late", int(word.said["code"] != "stale"))
        assert word.said["code"] == "stale"
        state = await on.until_state(lambda now: now.tick > late["tick"] + 12.0)
        assert state.heaters[0].lease is not None
        assert state.heaters[0].lease.power_w == 400.0


async def test_what_a_broker_kept_for_a_rig_that_was_away_is_too_late(
    tmp_path: Path, fake_nvml: Path, figure: Figure
) -> None:
    async with scene(tmp_path, fake_nvml, figure, persistence=True) as on:
        await on.heat()
        on.network.stall()
        late = [await on.home.write("lease", power_w=150.0 + number) for number in range(3)]
        for request in late:
            await on.home.send(request)
        await asyncio.sleep(11.0)
        on.network.flow()
        await on.back(time.monotonic())
        asked = {request["id"] for request in late}
        heard = {
            word.said["id"]: word.said["code"]
            for word in on.witness.of("response")
            if word.said["id"] in asked
        }
        figure("requests_executed_late", list(heard.values()).count("accepted"))
        assert set(heard.values()) <= {"stale"}
        assert on.meter.power_w > HEATING_W
