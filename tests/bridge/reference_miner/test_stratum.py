"""What a pool may say, and what it may not."""

import json
import random
from typing import Any

import pytest
from hypothesis import given, strategies as st

from hashcenter_bridge.reference_miner import bitcoin, stratum
from hashcenter_bridge.reference_miner.stratum import Answer, Extranonce, Notification, PoolNonsense
from tests.simulators.pool_work import TemplateMaker

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)
GOOD_JOB: list[Any] = ["a", "00" * 32, "01", "02", ["ab" * 32], "20000000", "1d00ffff", "5e148a8c"]


@given(st.binary(max_size=400))
def test_any_bytes_are_a_message_or_nonsense(line: bytes) -> None:
    try:
        message = stratum.parse_line(line)
    except PoolNonsense:
        return
    assert isinstance(message, Answer | Notification)


@given(JSON)
def test_any_json_is_a_message_or_nonsense(value: Any) -> None:
    try:
        message = stratum.parse_line(json.dumps(value).encode())
    except PoolNonsense:
        return
    assert isinstance(message, Answer | Notification)


def test_a_line_nested_too_deeply_is_nonsense() -> None:
    with pytest.raises(PoolNonsense):
        stratum.parse_line(b"[" * 100_000)


@given(st.lists(JSON, max_size=10))
def test_any_parameters_are_a_job_or_nonsense(params: list[Any]) -> None:
    try:
        job = stratum.parse_job(params, Extranonce(b"\x01", 4), 1.0)
    except PoolNonsense:
        return
    assert len(job.header_prefix(0)) == bitcoin.HEADER_PREFIX_BYTES


@given(st.integers(min_value=0, max_value=7), JSON)
def test_one_wrong_field_of_a_job_never_crashes(index: int, value: Any) -> None:
    params = [*GOOD_JOB, True]
    params[index] = value
    try:
        job = stratum.parse_job(params, Extranonce(b"", 0), 1.0)
    except PoolNonsense:
        return
    assert len(job.header_prefix(0)) == bitcoin.HEADER_PREFIX_BYTES


@given(JSON)
def test_any_difficulty_is_usable_or_nonsense(value: Any) -> None:
    try:
        difficulty = stratum.parse_difficulty([value])
    except PoolNonsense:
        return
    assert 0 <= bitcoin.target_from_difficulty(difficulty) <= bitcoin.MAX_TARGET


@pytest.mark.parametrize(
    "result",
    [
        None,
        True,
        [],
        [[], "zz", 4],
        [[], "00", -1],
        [[], "00", 17],
        [[], "00", "4"],
        [[], "00" * 17, 4],
        [[], 5, 4],
    ],
)
def test_an_unusable_subscription_is_nonsense(result: Any) -> None:
    with pytest.raises(PoolNonsense):
        stratum.parse_subscription(result)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (None, None),
        ([21, "Job not found", None], "Job not found"),
        ({"code": 21, "message": "Job not found"}, "Job not found"),
        ("Job not found", "Job not found"),
        ([], "[]"),
        ("x" * 999, "x" * 200),
    ],
)
def test_a_pool_may_word_its_errors_in_several_ways(error: Any, words: str | None) -> None:
    line = json.dumps({"id": 1, "result": None, "error": error}).encode()
    assert stratum.parse_line(line) == Answer(1, None, words)


@given(
    st.integers(min_value=0, max_value=2**32 - 1),
    st.integers(min_value=0, max_value=2**32 - 1),
    st.integers(min_value=0, max_value=2**32 - 1),
    st.integers(min_value=0, max_value=1000),
)
def test_miner_and_pool_build_the_same_header_from_a_job(
    time: int, extranonce2: int, nonce: int, seed: int
) -> None:
    template = TemplateMaker(random.Random(seed), 8).make(time, 1.0)
    params = json.loads(json.dumps(template.notify_params(clean=True)))
    job = stratum.parse_job(params, Extranonce(b"\x01\x02\x03\x04", 4), 1.0)

    ours = bitcoin.header(job.header_prefix(extranonce2), nonce)

    extranonce = b"\x01\x02\x03\x04" + extranonce2.to_bytes(4, "big")
    assert ours == template.header(extranonce, time, nonce)
    assert len(ours) == bitcoin.HEADER_BYTES
