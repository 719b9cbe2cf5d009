"""A broker, or whoever writes to it, lies: nothing is done twice, late, or for somebody else."""

import asyncio
import json
import random
import time
from pathlib import Path
from typing import Any

import pytest

from hashcenter_bridge.wire import topics
from hashcenter_bridge.wire.codec import WireError
from hashcenter_bridge.wire.messages import decode_request
from tests import fuzzing
from tests.brokers import free_port
from tests.chaos.scene import Figure, scene
from tests.e2e.rig import RIG

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

MAX_AGE_S = 10.0
_PATIENCE_S = 1.0
_GARBAGE = (b"garbage", b"\xff\xfe\x00", b"{}", b'{"boot_id": "forged"}', b"[" * 2000)


async def test_retained_garbage_in_every_topic_is_replaced_or_never_taken(
    tmp_path: Path, fake_nvml: Path, figure: Figure
) -> None:
    async with scene(tmp_path, fake_nvml, figure) as on:
        on.home.tolerant = True
        for number, topic in enumerate((*topics.SAID_BY_RIG, topics.REQUEST)):
            name = topic.of(RIG, "GPU-forged" if topic.per_device else None)
            rubbish = _GARBAGE[number % len(_GARBAGE)]
            await on.home.client.publish(name, rubbish, qos=1, retain=True)
        forged = json.dumps({"status": "offline", "boot_id": "forged"}).encode()
        await on.home.client.publish(topics.STATUS.of(RIG), forged, qos=1, retain=True)
        on.said_offline += 1
        await on.heat()
        await on.home.until_status("online")
        await on.home.until_inventory()
        state = await on.until_state(lambda now: now.health.messages_invalid_total >= 1)
        assert state.heaters[0].lease is not None
        assert state.heaters[0].lease.power_w == 400.0


async def test_what_is_repeated_reordered_and_delayed_is_done_once_in_order_and_never_late(
    tmp_path: Path, fake_nvml: Path, figure: Figure, long: bool
) -> None:
    chance = random.Random(11)
    async with scene(tmp_path, fake_nvml, figure) as on:
        await on.heat()
        written: dict[str, tuple[float, int]] = {}

        async def deliver(request: dict[str, Any]) -> None:
            for _ in range(chance.randint(1, 4)):
                await asyncio.sleep(chance.choice((0.0, 0.1, 1.0, 4.0, 13.0)))
                await on.home.send(request)

        async with asyncio.TaskGroup() as deliveries:
            for number in range(300 if long else 40):
                request = await on.home.write("lease", power_w=200.0 + number)
                if chance.random() < 0.2:
                    request["boot_id"] = "another"
                written[request["id"]] = (time.monotonic(), request["seq"])
                deliveries.create_task(deliver(request))
                await asyncio.sleep(0.05)
        await on.home.ask("lease", power_w=150.0)
        taken = [
            (word.at - written[word.said["id"]][0], written[word.said["id"]][1])
            for word in on.witness.of("response")
            if word.said["id"] in written and word.said["code"] == "accepted"
        ]
        assert taken
        # A request quotes a heartbeat of up to 5 s before it was written.
        late = sum(age_s > MAX_AGE_S + 1.0 for age_s, _ in taken)
        figure("requests_executed_late", late)
        assert late == 0
        assert [seq for _, seq in taken] == sorted({seq for _, seq in taken})


async def test_two_houses_and_a_clone_of_one_do_nothing_twice(
    tmp_path: Path, fake_nvml: Path, figure: Figure
) -> None:
    async with scene(tmp_path, fake_nvml, figure) as on:
        await on.heat()
        request = await on.home.write("lease", power_w=300.0)
        assert await on.home.answer_to(request) == "accepted"
        clone = {**request, "id": "clone", "power_w": 450.0}
        assert await on.home.answer_to(clone) == "duplicate"
        stranger = {**request, "id": "other", "controller": "neighbor", "seq": 10_000}
        assert await on.home.answer_to(stranger) == "held_by"
        state = await on.until_state(lambda now: now.health.requests_refused_total >= 2)
        assert state.heaters[0].lease is not None
        assert state.heaters[0].lease.power_w == 300.0


async def test_payloads_of_any_size_and_words_of_other_rigs_cost_nothing(
    tmp_path: Path, fake_nvml: Path, figure: Figure
) -> None:
    async with scene(tmp_path, fake_nvml, figure) as on:
        await on.heat()
        for size in (5_000, 60_000, 300_000, 5_000_000):
            await on.home.send(b"x" * size)
        for name in ("cellar", "attic-2"):
            said = await on.home.write("stop_all")
            await on.home.client.publish(topics.REQUEST.of(name), json.dumps(said), qos=1)
        asked = time.monotonic()
        assert await on.home.ask("lease", power_w=300.0) == "accepted"
        assert time.monotonic() - asked < 5.0
        assert on.home.state is not None
        assert not on.home.state.stopped


@pytest.mark.timeout(3600)
async def test_whatever_is_sent_as_a_request_it_goes_on_within_its_watts(
    tmp_path: Path, fake_nvml: Path, figure: Figure, long: bool
) -> None:
    chance = random.Random(5)
    async with scene(tmp_path, fake_nvml, figure) as on:
        await on.heat()
        rounds = 500 if long else 10
        for _ in range(rounds):
            fresh = [await on.home.write(kind) for kind in ("lease", "release", "restart_device")]
            examples = [json.dumps({**one, "power_w": 200.0}).encode() for one in fresh]
            for _ in range(200):
                payload = fuzzing.payload(chance, examples)
                if _seq(payload) <= on.home.seq:
                    await on.home.send(payload)
            assert await on.home.ask("lease", power_w=300.0) == "accepted"
        state = await on.until_state(lambda now: bool(now.heaters[0].lease))
        crashes = int(on.rig.process is None or on.rig.process.returncode is not None)
        figure("fuzz_crashes", crashes)
        assert crashes == 0
        assert state.health.messages_invalid_total > rounds
        assert state.health.requests_refused_total > rounds
        assert (state.heaters[0].target_w or 0.0) <= 500.0


@pytest.mark.timeout(3600)
async def test_whatever_is_said_to_the_api_it_goes_on(
    tmp_path: Path, fake_nvml: Path, figure: Figure, long: bool
) -> None:
    chance = random.Random(7)
    async with scene(tmp_path, fake_nvml, figure) as on:
        await on.heat()
        key = on.secrets[1].encode()
        crashes = 0
        for _ in range(100_000 if long else 1_000):
            answer = await _say(on.rig.http_port, _nonsense(chance, key))
            crashes += b" 500 " in answer.partition(b"\r\n")[0]
        figure("fuzz_crashes", crashes)
        assert crashes == 0
        healthy = await _say(on.rig.http_port, b"GET /health HTTP/1.0\r\n\r\n")
        assert b'"ok"' in healthy
        assert free_port() != on.rig.http_port


def _seq(payload: bytes) -> int:
    """Return the number of a request that could be taken: one of the house's future is left out."""
    try:
        return decode_request(payload).seq
    except WireError:
        return 0


def _nonsense(chance: random.Random, key: bytes) -> bytes:
    """Return bytes that are a request, almost one, or nothing at all; half have the key."""
    if chance.random() < 0.2:
        return chance.randbytes(chance.randint(0, 300)) + b"\r\n\r\n"
    method = chance.choice((b"GET", b"POST", b"PUT", b"OPTIONS", b"BREW", b""))
    path = chance.choice(
        (b"/v1/chat/completions", b"/v1/embeddings", b"/v1/models", b"/metrics", b"/health",
         b"/hashcenter/warm", b"/../../etc/passwd", b"/" + b"a" * 9000, b"*", b"/%00%ff", b"")
    )  # fmt: skip
    body = chance.choice(
        (b"", b"{}", b"[]", b"null", b'{"messages": 3}', b'{"model": "x", "messages": []}',
         b'{"messages": [{"role": "user", "content": ' + b"[" * 500 + b"}]}",
         b'{"messages": [{"role": "user", "content": "hi"}], "max_tokens": -1e309}',
         chance.randbytes(200), b'{"messages": [{"role": "\\ud800"}], "stream": "maybe"}')
    )  # fmt: skip
    length = chance.choices((len(body), 0, -5, 10**30), (90, 5, 4, 1))[0]
    head = [method + b" " + path + chance.choice((b" HTTP/1.1", b" HTTP/1.0", b" HTTP/9", b""))]
    head += [b"Host: " + chance.randbytes(4).hex().encode(), b"Content-Length: %d" % length]
    head += [b"Connection: close"]
    if chance.random() < 0.5:
        head.append(chance.choice((b"Authorization: Bearer ", b"Authorization Bearer ")) + key)
    return b"\r\n".join(head) + b"\r\n\r\n" + body


async def _say(port: int, said: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(said)
        async with asyncio.timeout(_PATIENCE_S):
            return await reader.read(65_536)
    except (ConnectionError, TimeoutError):  # it hangs up, or waits for a body that never comes
        return b""
    finally:
        writer.close()
