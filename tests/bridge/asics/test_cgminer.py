"""What any firmware with cgminer's API tells, and the transport below it."""

import asyncio
from pathlib import Path

import pytest

from hashcenter_bridge.devices.asics import cgminer as driver
from hashcenter_bridge.devices.transports import cgminer, reply
from hashcenter_bridge.errors import DeviceFault
from hashcenter_bridge.wire.values import Activity, PowerSource

from .machines import loopback
from .recorded import Recorded


def test_a_real_antminer_is_read_without_its_own_driver(shared_fixtures: Path) -> None:
    replies = Recorded(shared_fixtures / "asic/antminer/v2020")
    told = (replies["summary"], replies["stats"], replies["pools"], None)
    device = driver.device("10.0.0.3", replies["version"], *told)
    assert device.uid == "8144d5ca79104814"
    assert device.firmware == "BMMiner 1.0.0"
    assert device.capabilities.power_source is PowerSource.NONE
    assert not device.capabilities.can_pause
    sample = driver.sample(replies["version"], *told)
    assert sample.readings.hash_rate_mhs == pytest.approx(110_566_890)
    assert sample.readings.temp_c == 73
    assert sample.readings.chip_temp_c == 78
    assert sample.readings.fan_rpm == 6000
    assert sample.readings.power_w is None


def test_a_real_luxos_and_a_whatsminer_tell_watts_and_a_mac(shared_fixtures: Path) -> None:
    lux = Recorded(shared_fixtures / "asic/luxminer/v1")
    told = (lux["summary"], lux["stats"], lux["pools"], lux["config"])
    assert driver.device("10.0.0.7", lux["version"], *told).uid == "62:f7:5e:b7:10:46"
    whats = Recorded(shared_fixtures / "asic/whatsminer/v2")
    sample = driver.sample(None, whats["summary"], None, whats["pools"], None)
    assert sample.readings.power_w == 3200
    assert sample.mac == "d4:01:02:03:04:05"
    assert sample.activity is Activity.HASHING


def test_what_its_owner_says_it_draws_counts_only_while_it_works() -> None:
    working = {"SUMMARY": [{"GHS 5s": 56_000}]}
    idle = {"SUMMARY": [{"GHS 5s": 0}]}
    device = driver.device("10.0.0.3", None, working, None, None, None, owners_w=2520)
    assert device.capabilities.power_source is PowerSource.ESTIMATED
    sample = driver.sample(None, working, None, None, None, owners_w=2520)
    assert sample.readings.power_w == 2520
    assert driver.sample(None, idle, None, None, None, owners_w=2520).readings.power_w is None


def test_who_says_nothing_is_known_by_the_address() -> None:
    assert driver.device("10.0.0.3", None, None, None, None, None).uid == "10.0.0.3"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b'{"a": 1}\0', {"a": 1}),
        (b'{"a": 1,}', {"a": 1}),
        (b'{"a": [{"b": 1}{"c": 2}]}', {"a": [{"b": 1}, {"c": 2}]}),
        (b'{"a": inf, "b": nan}', {"a": None, "b": None}),
        (b'{"a": "inf"}', {"a": "inf"}),
        (b'{"a": Infinity}', {"a": None}),
        (b'{"a": "tab\there"}', {"a": "tab\there"}),
    ],
)
def test_careless_json_is_read(text: bytes, found: object) -> None:
    assert reply.parse(text) == found


@pytest.mark.parametrize("text", [b"", b"\0\0", b'{"a": ', b"[" * 100_000, b"\xff\xfe"])
def test_what_is_no_json_is_an_error(text: bytes) -> None:
    with pytest.raises(ValueError, match="it is"):
        reply.parse(text)


@pytest.mark.parametrize(
    ("value", "found"),
    [("72%", 72), ("1051 W", 1051), ("inf", None), ("", None), (True, None), (float("nan"), None),
     ("-1", -1), ("1e3", 1000), ([], None), ("9" * 400, None)],
)  # fmt: skip
def test_numbers_are_read_however_they_are_written(value: object, found: float | None) -> None:
    assert reply.number(value) == found


@pytest.mark.parametrize(
    ("value", "found"), [("483k", 483_000), ("1.2 G", 1.2e9), (4829331, 4829331), ("-", None)]
)
def test_difficulties_are_read_with_their_unit(value: object, found: float | None) -> None:
    assert reply.difficulty(value) == found


async def test_an_endless_answer_is_cut_off() -> None:
    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(b"x" * 65_536)
                await writer.drain()
        except OSError:
            writer.close()

    address = loopback()
    async with await asyncio.start_server(pour, address, 4028):
        with pytest.raises(DeviceFault) as raised:
            await cgminer.ask(address, 4028, "summary")
    assert raised.value.code == "unreadable"


async def test_a_server_that_never_closes_is_not_waited_for() -> None:
    async def linger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b'{"STATUS": [{"STATUS": "S"}]}')
        await reader.read()
        writer.close()

    address = loopback()
    async with await asyncio.start_server(linger, address, 4028), asyncio.timeout(3):
        assert cgminer.status(await cgminer.ask(address, 4028, "summary"))[0] == "S"
