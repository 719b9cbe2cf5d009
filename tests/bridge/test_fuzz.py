"""Whatever bytes come in, they are read or refused with a reason: nothing else happens.

HASHCENTER_TEST_LONG=1 tries 100,000 for each reader.
"""

import json
import logging
import os
import random
import struct
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from hashcenter_bridge.api_error import ApiError
from hashcenter_bridge.intake import Intake, Situation
from hashcenter_bridge.question import read_chat, read_embeddings, read_picture, read_warm
from hashcenter_bridge.runners import gguf, gguf_header
from hashcenter_bridge.runners.signature import BadSignature, check
from hashcenter_bridge.store import Store
from hashcenter_bridge.wire import topics
from hashcenter_bridge.wire.codec import WireError, decode, encode
from hashcenter_bridge.wire.signing import opened, signed
from tests import fuzzing
from tests.wire.speech import EXAMPLES

TIMES = 100_000 if os.environ.get("HASHCENTER_TEST_LONG") == "1" else 1_500
BOOT, TICK = "4f1c0a9be27d", 1000.0
KEY = Path(__file__).parent / "runners/signed/key.pub"
SIGNATURE = Path(__file__).parent / "runners/signed/model.gguf.sig"

Reader = Callable[[bytes], None]


def examples(prefix: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted(EXAMPLES.glob(f"{prefix}*.json"))]


def intake(folder: Path) -> Reader:
    """Judge requests; what is accepted is whole, meant for this run, and from its house."""
    judge = Intake(
        lambda: Situation(
            boot_id=BOOT,
            tick=TICK,
            controller="house",
            allow_control=True,
            control_refused=None,
            stopped=False,
            heaters=frozenset({"attic"}),
            restartable=frozenset({"GPU-1"}),
            max_ttl_s=900.0,
        ),
        lambda _body, proof: proof.startswith("0"),
    )

    def read(payload: bytes) -> None:
        for said in (payload, signed(payload.decode(errors="replace"), "attic", "k").encode()):
            taken = judge.take(said, retained=False)
            assert taken.code
            if taken.request is not None:
                assert (taken.request.boot_id, taken.request.controller) == (BOOT, "house")
                assert taken.response is not None
            if taken.response is not None:
                encode(taken.response)

    return read


def wire(folder: Path) -> Reader:
    """Read it as every message of the wire; what was read can be said."""

    def read(payload: bytes) -> None:
        opened(payload)
        for topic in (*topics.SAID_BY_RIG, topics.REQUEST):
            refused = ""
            try:
                message = decode(topic.message, payload)
            except WireError as err:
                refused = str(err)
            else:
                assert decode(topic.message, encode(message)) == message
            assert len(refused) < 300

    return read


def questions(folder: Path) -> Reader:
    """Read it as every body that the HTTP API takes."""

    def read(payload: bytes) -> None:
        for form in (read_chat, read_embeddings, read_picture, read_warm):
            status = 400
            try:
                form(payload)
            except ApiError as err:
                status = err.status
            assert status == 400

    return read


def kept(folder: Path) -> Reader:
    """Start with it as the file that outlasts restarts."""

    def read(payload: bytes) -> None:
        (folder / "state.json").write_bytes(payload)
        Store(folder, folder / "run", lambda: 0.0, read_only=True)

    return read


def weights(folder: Path) -> Reader:
    """Read it as the head of a model's file."""
    file = folder / "model.gguf"

    def read(payload: bytes) -> None:
        file.write_bytes(payload)
        for reader in (gguf.context_tokens, gguf_header.read):
            with suppress(gguf.NotGguf):
                reader(file)

    return read


def bundle(folder: Path) -> Reader:
    """Read it as a model's signature: only the true one vouches, and only for what it signed."""
    file = folder / "model.sig"

    def read(payload: bytes) -> None:
        file.write_bytes(payload)
        with pytest.raises(BadSignature):
            check(file, KEY, ["0" * 64])

    return read


def chats() -> list[bytes]:
    hello = {"role": "user", "content": "Hello"}
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    tool = {"type": "function", "function": {"name": "light", "parameters": {"type": "object"}}}
    seen = {"role": "user", "content": [{"type": "text", "text": "See?"}, picture]}
    bodies: list[dict[str, Any]] = [
        {"model": "small", "messages": [hello], "stream": True, "max_tokens": 9},
        {"messages": [seen, hello], "tools": [tool], "response_format": {"type": "json_object"}},
        {"input": ["a", "b"], "model": "small"},
        {"prompt": "a cat", "n": 1, "size": "256x256"},
        {"id": "kitchen", "background": True, "messages": [hello]},
    ]
    return [json.dumps(body).encode() for body in bodies]


def states() -> list[bytes]:
    meter = {"kwh": 1.5, "counter_j": 3.0}
    known = {
        "controller": "house", "stopped": False, "ordinals": {"gpu:GPU-1": 0},
        "energy": {"GPU-1": meter}, "totals": {"answers": 3, "tokens": 9},
        "asics": {"aa:bb": {"starts": [1.0, 2.0], "pools": ["a"], "noted": {}}},
    }  # fmt: skip
    return [json.dumps(known).encode()]


def heads() -> list[bytes]:
    key = struct.pack("<Q", 20) + b"llama.context_length" + struct.pack("<II", 4, 8192)
    words = struct.pack("<Q", 5) + b"words" + struct.pack("<IIQ", 9, 8, 2)
    words += struct.pack("<Q", 1) + b"a" + struct.pack("<Q", 2) + b"bc"
    tensor = struct.pack("<Q", 1) + b"t" + struct.pack("<IQQIQ", 2, 4, 4, 0, 0)
    return [b"GGUF" + struct.pack("<IQQ", 3, 1, 2) + key + words + tensor]


def broken(chance: random.Random, said: list[bytes]) -> bytes:
    return fuzzing.broken(chance, chance.choice(said))


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("reader", "said", "change"),
    [
        (intake, examples("request_"), fuzzing.payload),
        (wire, examples(""), fuzzing.payload),
        (questions, chats(), fuzzing.payload),
        (kept, states(), fuzzing.payload),
        (weights, heads(), broken),
        (bundle, [SIGNATURE.read_bytes()], fuzzing.payload),
    ],
    ids=lambda part: getattr(part, "__name__", ""),
)
def test_whatever_comes_in_is_read_or_refused(
    tmp_path: Path,
    reader: Callable[[Path], Reader],
    said: list[bytes],
    change: Callable[[random.Random, list[bytes]], bytes],
    record_property: Callable[[str, object], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL, "hashcenter_bridge")
    chance, read = random.Random(reader.__name__), reader(tmp_path)
    for number in range(TIMES):
        payload = change(chance, said)
        try:
            read(payload)
        except Exception:  # noqa: BLE001 - whatever it is, it is a crash
            record_property("fuzz_crashes", 1)
            pytest.fail(f"payload {number}: {payload!r}\n{traceback.format_exc()}")
    record_property("fuzz_crashes", 0)
