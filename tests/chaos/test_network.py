"""The way to the broker stalls, dies half-open, resets, trickles: the rig is back within 5 s."""

import asyncio
import time
from pathlib import Path

import aiomqtt
import pytest

from hashcenter_bridge import mqtt
from tests.brokers import HOST
from tests.chaos.scene import HEATING_W, Figure, scene
from tests.e2e.rig import RIG

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

RECONNECT_S = 5.0
#: MQTT's own patience: a ping after one interval of 5 s, its answer awaited for another.
NOTICED_S = 12.0


async def test_a_connection_that_died_without_a_word_is_given_up_and_made_anew(
    tmp_path: Path, fake_nvml: Path, figure: Figure
) -> None:
    async with scene(tmp_path, fake_nvml, figure) as on:
        await on.heat()
        on.network.half_open()
        dead = time.monotonic()
        back_s = await on.back(dead + 0.5)
        figure("half_open_noticed_s_max", back_s)
        assert back_s <= NOTICED_S + RECONNECT_S
        on.home.forget()  # a request quotes a heartbeat of now
        assert await on.home.ask("lease", power_w=150.0) == "accepted"
        assert "offline" not in {word.said["status"] for word in on.witness.of("status")}


async def test_a_network_that_stalls_has_its_rig_back_in_five_seconds(
    tmp_path: Path, fake_nvml: Path, figure: Figure, long: bool
) -> None:
    async with scene(tmp_path, fake_nvml, figure) as on:
        await on.heat()
        for stall_s in (3.0, 14.0, 40.0) if long else (3.0, 14.0):
            on.network.stall()
            await asyncio.sleep(stall_s)
            assert on.meter.power_w > HEATING_W
            on.network.flow()
            figure("reconnect_s_max", back_s := await on.back(time.monotonic()))
            assert back_s <= RECONNECT_S


async def test_a_network_that_resets_again_and_again_loses_no_request_and_doubles_none(
    tmp_path: Path, fake_nvml: Path, figure: Figure, long: bool
) -> None:
    async with scene(tmp_path, fake_nvml, figure) as on:
        await on.heat()
        asked = []
        for number in range(20 if long else 4):
            request = await on.home.write("lease", power_w=300.0 + number)
            asked.append(request["id"])
            await on.home.send(request)
            on.network.reset()
            figure("reconnect_s_max", back_s := await on.back(time.monotonic() + 0.1))
            assert back_s <= RECONNECT_S
        heard = {word.said["id"]: word.said["code"] for word in on.witness.of("response")}
        # The session keeps what was asked while the line was down; each has its one answer.
        await on.witness.until(
            lambda: set(asked) <= {word.said["id"] for word in on.witness.of("response")}
        )
        assert set(heard.values()) <= {"accepted", "duplicate", "stale"}
        assert on.network.taken > len(asked)


@pytest.mark.parametrize(("piece_bytes", "bytes_per_s"), [(1, None), (500, 4000.0)])
async def test_crumbs_and_a_slow_line_change_nothing(
    tmp_path: Path, fake_nvml: Path, figure: Figure, piece_bytes: int, bytes_per_s: float | None
) -> None:
    async with scene(tmp_path, fake_nvml, figure) as on:
        on.network.piece_bytes, on.network.bytes_per_s = piece_bytes, bytes_per_s
        await on.heat()
        assert await on.home.ask("lease", power_w=150.0) == "accepted"
        state = await on.until_state(
            lambda now: now.heaters[0].lease is not None and now.heaters[0].lease.power_w == 150.0
        )
        assert state.health.broker_reconnects_total == 0


async def test_after_another_client_took_our_name_the_rig_is_back_in_five_seconds(
    tmp_path: Path, fake_nvml: Path, figure: Figure
) -> None:
    async with scene(tmp_path, fake_nvml, figure) as on:
        await on.heat()
        thief = aiomqtt.Client(
            HOST, on.broker.port, identifier=own_name(), protocol=aiomqtt.ProtocolVersion.V5
        )
        async with thief:
            await on.witness.until(lambda: on.network.taken > 1 or None)
        figure("reconnect_s_max", back_s := await on.back(time.monotonic()))
        assert back_s <= RECONNECT_S


def own_name() -> str:
    """Return the name under which the bridge speaks to the broker."""
    return f"hashcenter-{RIG}-{mqtt._machine()}"
