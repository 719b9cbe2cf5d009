"""Simulated rigs speak the wire as a bridge does: every word of it, and they do what is asked."""

import asyncio
import json
import math
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from hashcenter_bridge.config import MqttConfig
from hashcenter_bridge.wire import topics
from hashcenter_bridge.wire.codec import WireModel, encode
from hashcenter_bridge.wire.messages import (
    AnyRequest,
    HeaterState,
    LeaseRequest,
    Response,
    RigState,
    StopAllRequest,
)
from hashcenter_bridge.wire.values import Activity, Effect
from tests.brokers import HOST, Broker
from tools.fleet.rig import FleetRig
from tools.paths import ROOT, ROOT_PYTHON

HOUSE = "house"


class Ears:
    """Stands for the line: keeps what is said, as the wire has it."""

    def __init__(self) -> None:
        self.said: list[tuple[topics.Topic[Any], WireModel, int | None]] = []

    def say(self, topic: topics.Topic[Any], message: WireModel, uid: str | None = None) -> None:
        payload = json.loads(encode(message))
        number = payload.pop("number", None)
        read = topic.message.model_validate_json(json.dumps(payload), extra="forbid")
        assert topic.of("attic", uid if topic.per_device else None)
        self.said.append((topic, read, number))

    def last(self, topic: topics.Topic[Any]) -> Any:
        return next(message for about, message, _ in reversed(self.said) if about is topic)


class Bench:
    """One rig whose clock is turned by hand."""

    def __init__(self, **fields: Any) -> None:
        self.now = 0.0
        fields = {"asked_every_s": math.inf, **fields}
        self.rig = FleetRig("attic", MqttConfig(), lambda: self.now, **fields)
        self.ears = Ears()
        self.rig.line = self.ears  # type: ignore[assignment]
        self.seq = 0
        self.rig.connected()

    def ask(self, kind: type[Any], **fields: Any) -> Response:
        self.seq += 1
        request: AnyRequest = kind(
            id=str(self.seq), boot_id=self.rig.boot_id, tick=self.now, controller=HOUSE,
            seq=self.seq, **fields,
        )  # fmt: skip
        self.rig.heard(encode(request).encode(), retained=False)
        response: Response = self.ears.last(topics.RESPONSE)
        return response

    def live(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now += 1.0
            self.rig.step()

    @property
    def heater(self) -> HeaterState:
        state: RigState = self.ears.last(topics.STATE)
        return state.heaters[0]

    @property
    def effect(self) -> Effect | str | None:
        return self.heater.effect

    @property
    def power_w(self) -> float:
        assert self.heater.power_w is not None
        return self.heater.power_w


@pytest.mark.parametrize(("gpus", "asics"), [(4, 0), (0, 2)])
def test_a_lease_is_answered_at_once_and_followed_in_watts(gpus: int, asics: int) -> None:
    bench = Bench(gpus=gpus, asics=asics)
    bench.live(30)
    heater = bench.rig.rig_id if gpus else bench.heater.id
    assert bench.power_w < 200
    answer = bench.ask(LeaseRequest, heater=heater, power_w=1300.0, ttl_s=300.0)
    assert answer.result == "accepted"
    bench.live(1)
    assert bench.effect == "settling"
    bench.live(200)
    assert bench.effect == "reached"
    assert bench.power_w == pytest.approx(1300.0, rel=0.1)
    state: RigState = bench.ears.last(topics.STATE)
    assert state.activity is Activity.HASHING
    bench.live(200)
    lease = bench.heater.lease
    assert lease
    assert lease.phase == "coasting"
    assert bench.ask(StopAllRequest).result == "accepted"
    bench.live(180)
    assert bench.power_w < 200
    assert bench.ask(LeaseRequest, heater=heater, power_w=9.0, ttl_s=60.0).code == "stopped"


def test_it_speaks_as_often_as_a_bridge_and_numbers_what_it_says() -> None:
    bench = Bench(gpus=8, safe_share=0.6, asked_every_s=120.0)
    bench.live(60)
    bench.ears.said.clear()
    bench.live(600)
    heartbeats = [number or 0 for topic, _, number in bench.ears.said if topic is topics.STATE]
    assert heartbeats == list(range(heartbeats[0], heartbeats[0] + len(heartbeats)))
    assert 110 <= len(heartbeats) <= 240
    devices = [message for topic, message, _ in bench.ears.said if topic is topics.DEVICE]
    assert 8 * 55 <= len(devices) <= 8 * 120
    assert sum(bench.rig.said.values()) >= len(heartbeats) + len(devices)
    inventories = [topic for topic, _, _ in bench.ears.said if topic is topics.INVENTORY]
    assert 38 <= len(inventories) <= 42


def test_what_is_old_or_heard_before_is_refused() -> None:
    bench = Bench(gpus=1)
    bench.live(20)
    bench.ask(LeaseRequest, heater="attic", power_w=300.0, ttl_s=300.0)
    bench.seq -= 1
    assert bench.ask(LeaseRequest, heater="attic", power_w=0.0, ttl_s=300.0).code == "duplicate"
    assert bench.rig.executed == 1


@pytest.mark.e2e
async def test_the_program_says_all_on_a_broker_and_goodbye_at_its_end(tmp_path: Path) -> None:
    broker = Broker("mosquitto", tmp_path)
    await broker.start()
    heard: dict[str, list[bytes]] = {}
    changed = asyncio.Event()

    async def listen(client: aiomqtt.Client) -> None:
        async for message in client.messages:
            heard.setdefault(message.topic.value, []).append(bytes(message.payload or b""))
            changed.set()

    async def until(holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not holds():
                changed.clear()
                await changed.wait()

    report = tmp_path / "report.json"
    try:
        async with aiomqtt.Client(HOST, broker.port, protocol=aiomqtt.ProtocolVersion.V5) as client:
            await client.subscribe(f"{topics.BASE}/#", qos=1)
            listening = asyncio.create_task(listen(client))
            program = await asyncio.create_subprocess_exec(
                ROOT_PYTHON, "-m", "tools.fleet", "--port", str(broker.port), "--rigs", "3",
                "--gpus", "2", "--asics", "2", "--report", str(report),
                cwd=ROOT, stdout=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
            try:
                rigs = ("rig0000", "rig0001", "rig0002", "basement")
                await until(lambda: all(topics.STATE.of(rig) in heard for rig in rigs))
                program.send_signal(signal.SIGTERM)
                async with asyncio.timeout(30):
                    assert await program.wait() == 0
                await until(
                    lambda: all(
                        b"offline" in heard.get(topics.STATUS.of(rig), [b""])[-1] for rig in rigs
                    )
                )
            finally:
                if program.returncode is None:
                    program.kill()
                    await program.wait()
                listening.cancel()
    finally:
        await broker.stop()
    said = json.loads(report.read_text())
    devices = [topic for topic in said if "/device/" in topic]
    assert len(devices) == 3 * 2 + 2
    assert {topic: len(heard[topic]) for topic in said} == said
