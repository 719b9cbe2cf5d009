"""A rig on a second Mosquitto that is bridged to the house's as docs/mosquitto/bridge.conf says."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiomqtt
import pytest

from hashcenter_bridge.mqtt import BIRTH_TOPIC
from hashcenter_bridge.wire.messages import Response
from tests.brokers import HOST, Broker
from tests.e2e.house import House, house
from tests.e2e.rig import BASE_W, RIG, RealRig
from tests.simulators.stratum_pool import StratumPool
from tools.paths import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]

BRIDGE_FILE = ROOT / "docs/mosquitto/bridge.conf"
#: A request that quotes an older heartbeat is not taken.
STALE_S = 10.0


@dataclass
class Barn:
    """The house's broker, the far one, the rig there, and the house that knows only its own."""

    near: Broker
    far: Broker
    rig: RealRig
    home: House


def bridged(far: Broker, near: Broker, folder: Path) -> str:
    """Return the far broker's file: the one of the docs, without TLS and with this test's ports."""
    lines = BRIDGE_FILE.read_text().splitlines()
    kept = [
        line for line in lines if not line.startswith(("bridge_ca", "bridge_cert", "bridge_key"))
    ]
    text = "\n".join(kept).replace("homeassistant.local:8883", f"{HOST}:{near.port}")
    listener = f"user root\nlistener {far.port} {HOST}\nallow_anonymous true\npersistence false\n"
    return f"{listener}persistence_location {folder}/\n{text}\n"


def said_to(home: House, number: str) -> Response | None:
    """Return the response to a request; one to an earlier request may be said twice."""
    said = (one.message for one in home.heard if one.topic == "response")
    return next((one for one in said if one.id == number), None)


@asynccontextmanager
async def barn(folder: Path, library: Path, pool: StratumPool) -> AsyncIterator[Barn]:
    folders = [folder / "near", folder / "far"]
    for one in folders:
        one.mkdir()
    near, far = (Broker("mosquitto", one) for one in folders)
    far.write(bridged(far, near, folders[1]))
    rig = RealRig(folder, far.port, pool, library, coast_s=60.0)
    try:
        await near.start()
        await far.start()
        async with house(near.port, RIG) as home:
            await rig.start()
            yield Barn(near, far, rig, home)
    finally:
        far.thaw()
        await rig.clean_up()
        await far.stop()
        await near.stop()


async def test_a_rig_behind_a_second_broker_is_heard_asked_and_missed(
    tmp_path: Path, fake_nvml: Path, pool: StratumPool
) -> None:
    async with barn(tmp_path, fake_nvml, pool) as scene:
        home = scene.home
        assert (await home.until_inventory()).heaters[0].id == RIG
        await home.until_status("online")
        assert await home.ask("lease", power_w=300.0, ttl_s=120.0) == "accepted"
        await home.until_state(lambda one: (one.power_w or 0.0) > BASE_W + 100.0)
        await home.until_device(lambda one: one.activity == "hashing")

        # Whoever subscribes later finds on the house's broker what rigs keep there.
        async with house(scene.near.port, RIG) as later:
            await later.until(lambda: later.last("announce"))
            kept = [one for one in later.heard if one.topic in ("announce", "inventory", "status")]
            assert any(one.retained for one in kept)

        # Home Assistant's birth reaches the far rig: it says everything again.
        home.forget()
        async with aiomqtt.Client(
            HOST, scene.near.port, protocol=aiomqtt.ProtocolVersion.V5
        ) as other:
            await other.publish(BIRTH_TOPIC, "online")
        await home.until_status("online")

        # A rig that dies is called offline by the far broker, over the same line.
        await scene.rig.end(signal.SIGKILL)
        await home.until_status("offline")


async def test_what_the_line_between_brokers_kept_too_long_is_not_done(
    tmp_path: Path, fake_nvml: Path, pool: StratumPool
) -> None:
    async with barn(tmp_path, fake_nvml, pool) as scene:
        home = scene.home
        assert await home.ask("lease", power_w=150.0, ttl_s=300.0) == "accepted"
        request = await home.write("lease", power_w=400.0, ttl_s=300.0)
        scene.far.freeze()
        await home.send(request)
        await asyncio.sleep(STALE_S + 2.0)
        home.forget()
        scene.far.thaw()
        response = await home.until(lambda: said_to(home, request["id"]))
        assert response.code == "stale"
        assert await home.ask("lease", power_w=200.0, ttl_s=300.0) == "accepted"
        state = await home.until_state(lambda one: one.health.requests_accepted_total >= 2)
        assert state.health.requests_accepted_total == 2
