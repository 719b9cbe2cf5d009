"""What Whatsminers of both generations send, and what is made of it."""

import json
from pathlib import Path

import pytest

from hashcenter_bridge.devices.asics import whatsminer_v2, whatsminer_v3
from hashcenter_bridge.devices.transports.md5crypt import md5_crypt
from hashcenter_bridge.devices.transports.whatsminer import Seal, v3_token
from hashcenter_bridge.errors import DeviceFault
from hashcenter_bridge.wire.values import Activity
from tests.simulators.asic.whatsminer import WhatsminerV2

from .machines import MAKES, driver_for, paired
from .recorded import Recorded

NAMES = {
    "devs", "get_error_code", "get_error_code_with_errors", "get_miner_info", "get_psu",
    "get_version", "pools", "status", "summary",
}  # fmt: skip


@pytest.fixture
def replies(shared_fixtures: Path) -> Recorded:
    found = Recorded(shared_fixtures / "asic/whatsminer/v2")
    assert found.names() == NAMES
    return found


def test_a_real_machine(replies: Recorded) -> None:
    summary, version = replies["summary"], replies["get_version"]
    row = summary["SUMMARY"][0]
    device = whatsminer_v2.device("10.0.0.9", summary, version, None)
    assert device.uid == "d4:01:02:03:04:05"
    assert whatsminer_v2.identity(replies["get_miner_info"]) == device.uid
    assert device.firmware == "20230803.11.REL"
    percent = device.capabilities.percent
    assert percent is not None
    assert percent.full_w == row["Power Limit"] == 3300
    sample = whatsminer_v2.sample(
        summary, replies["status"], replies["pools"], replies["get_error_code"]
    )
    readings = sample.readings
    assert sample.activity is Activity.HASHING
    assert readings.power_w == 3200
    assert readings.hash_rate_mhs == row["HS RT"] == 124_500_000
    assert readings.expected_hash_rate_mhs == 126_000_000
    assert (readings.chip_temp_c, readings.inlet_temp_c) == (81, 28.5)
    assert readings.fan_rpm == 5400
    assert (readings.shares_accepted_total, readings.shares_rejected_total) == (5412, None)
    assert readings.best_share == 82_000_000
    assert sample.uptime_s == 25_500
    assert sample.setting == 100, "it was never turned down"
    assert [pool.active for pool in sample.pools] == [True, False, False]
    assert sample.pools[0].url == "stratum+tcp://btc.example.pool:3333"
    assert sample.faults == ()


def test_its_errors_are_told_by_the_vendors_codes(replies: Recorded) -> None:
    found = whatsminer_v2.faults(replies["get_error_code_with_errors"])
    assert [fault.code for fault in found] == ["vendor_218", "vendor_110"]
    assert "218" in found[0].text


@pytest.mark.parametrize("key", ["mineroff", "btmineroff"])
def test_one_that_was_switched_off_is_paused(replies: Recorded, key: str) -> None:
    status = {"Msg": {key: "true"}}
    sample = whatsminer_v2.sample(replies["summary"], status, replies["pools"])
    assert sample.activity is Activity.PAUSED


@pytest.mark.parametrize(
    ("password", "salt", "letters"),
    [
        # `openssl passwd -1 -salt SALT PASSWORD`
        ("admin", "BQ5hoXV9", "RxmaDUO33TS7O26yeMHZ81"),
        ("x", "ab", "e2KlfqG5YBMTjSz7XF.Eu1"),
        ("a much longer password than sixteen", "12345678", "HGJHglfA1jRVtYuvr8yIz0"),
        ("", "s", "iXWZU0LDEJ7Jjmms7KFsH0"),
    ],
)
def test_md5_crypt_is_openssls(password: str, salt: str, letters: str) -> None:
    assert md5_crypt(password, salt) == letters


def test_what_is_sealed_is_read_with_the_same_password_only() -> None:
    told = {"Msg": {"time": "5626", "salt": "BQ5hoXV9", "newsalt": "jbzkfQls"}}
    seal, other = Seal.from_token(told, "admin"), Seal.from_token(told, "guess")
    assert seal is not None
    assert other is not None
    sealed = seal.closed({"cmd": "power_on"})
    assert seal.opened({"enc": sealed["data"]}) == {"cmd": "power_on", "token": seal.sign}
    assert other.opened({"enc": sealed["data"]}) is None
    assert "power_on" not in json.dumps(sealed)
    assert Seal.from_token({"Msg": "can't access write cmd"}, "admin") is None


def test_a_v3_token_is_eight_letters_of_a_salted_hash() -> None:
    token = v3_token("set.miner.service", "super", "BQ5hoXV9", 1_700_000_000)
    assert len(token) == 8
    assert token != v3_token("set.miner.service", "super", "BQ5hoXV9", 1_700_000_001)


V3_INFO = {"msg": {"network": {"mac": "CE02010011AA"}, "miner": {"working": "true"}}}


def test_a_v3_machine_by_its_document() -> None:
    summary = {
        "msg": {
            "summary": {
                "power-realtime": 3156, "power-limit": 3600, "hash-realtime": 171.259,
                "factory-hash": 181.051, "board-temperature": [61.5, 60, 62], "elapsed": 50_000,
                "chip-temp-max": 88.1, "environment-temperature": 27.5, "fan-speed-in": 4800,
            }
        }
    }  # fmt: skip
    sample = whatsminer_v3.sample(V3_INFO, summary, {}, {"msg": {"power-percent": 60}})
    readings = sample.readings
    assert readings.power_w == 3156
    assert readings.hash_rate_mhs == pytest.approx(171_259_000)
    assert readings.expected_hash_rate_mhs == pytest.approx(181_051_000)
    assert (readings.temp_c, readings.chip_temp_c, readings.inlet_temp_c) == (62, 88.1, 27.5)
    assert (sample.setting, sample.uptime_s, sample.mining_s) == (60, None, 50_000)
    assert sample.mac == "ce:02:01:00:11:aa"


def test_v3_errors_carry_their_reason() -> None:
    info = {"msg": {"error-code": [{"530": "2026-01-01", "reason": "Slot 0 not found"}]}}
    (fault,) = whatsminer_v3.sample(info, None, None, None).faults
    assert (fault.code, fault.text) == ("vendor_530", "Slot 0 not found (530).")


@pytest.mark.parametrize("answer", [None, [], "no", {"SUMMARY": [{"MAC": 5}]}, {"msg": "busy"}])
def test_an_answer_of_any_shape_is_understood_or_refused(answer: object) -> None:
    whatsminer_v2.sample(answer, answer, answer, answer)
    whatsminer_v3.sample(answer, answer, answer, answer)
    with pytest.raises(DeviceFault):
        whatsminer_v2.device("10.0.0.9", answer, answer, answer)
    with pytest.raises(DeviceFault):
        whatsminer_v3.device("10.0.0.9", answer, answer)


async def test_an_expired_token_and_a_wrong_password_are_login_failures(tmp_path: Path) -> None:
    async with paired(MAKES["whatsminer_v2"], tmp_path) as pair:
        pair.simulator.hostile.token_ttl_s = 0
        with pytest.raises(DeviceFault) as raised:
            await pair.driver.pause()
        assert raised.value.code == "login_failed"
    wrong = tmp_path / "password"
    wrong.write_text("guess")
    for protocol in ("whatsminer_v2", "whatsminer_v3"):
        async with paired(MAKES[protocol], tmp_path) as pair:
            address = pair.simulator.address
            driver = driver_for(MAKES[protocol], address, tmp_path, password_file=wrong)
            await driver.probe()
            with pytest.raises(DeviceFault) as raised:
                await driver.pause()
            assert raised.value.code == "login_failed"
            assert pair.simulator.writes == []


async def test_a_write_api_that_is_off_is_explained(tmp_path: Path) -> None:
    async with paired(MAKES["whatsminer_v2"], tmp_path) as pair:
        assert isinstance(pair.simulator, WhatsminerV2)
        pair.simulator.write_api = False
        with pytest.raises(DeviceFault) as raised:
            await pair.driver.pause()
        assert raised.value.code == "refused"
        assert "WhatsMinerTool" in raised.value.text


async def test_a_reboot_forgets_the_percent(tmp_path: Path) -> None:
    async with paired(MAKES["whatsminer_v2"], tmp_path) as pair:
        await pair.driver.set(60)
        await pair.driver.restart()
        await pair.until(lambda sample: sample.setting == 100, within_s=20)
        assert not pair.device.capabilities.stored
