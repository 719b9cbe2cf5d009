"""`hashcenter doctor`: one finding for each thing, with what to repair; nothing is changed."""

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hashcenter_bridge import doctor
from hashcenter_bridge.devices import Sample
from hashcenter_bridge.doctor import broker as listening
from hashcenter_bridge.doctor.devices import judged
from hashcenter_bridge.wire.values import Readings
from tests.brokers import HOST, Broker


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    made = Broker("mosquitto", tmp_path)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "LISTEN_S", 0.0)


def write(folder: Path, port: int, more: str = "") -> Path:
    """Write an owner's file and return its path."""
    file = folder / "hashcenter.toml"
    file.write_text(
        f"""
[rig]
id = "attic"
state_folder = "{folder}/state"
runtime_folder = "{folder}/run"
[mqtt]
port = {port}
[[device]]
plugin = "cpu"
{more}
"""
    )
    return file


async def findings(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> tuple[int, dict[str, tuple[str, str]]]:
    """Return the exit status and, by check, the result and the sentence."""
    status = await doctor.examine(file, as_json=True)
    listed = json.loads(capsys.readouterr().out)
    return status, {one["check"]: (one["result"], one["text"]) for one in listed}


async def test_a_healthy_rig_has_nothing_to_repair(
    tmp_path: Path, broker: Broker, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path, broker.port, "idle_w = 10\nmax_w = 60")
    status, found = await findings(file, capsys)
    assert status == 0
    assert "failed" not in {result for result, _ in found.values()}
    assert {"configuration", "state_folder", "runtime_folder", "broker"} <= set(found)
    assert found["broker"] == ("ok", f"{HOST}:{broker.port} speaks MQTT 5 and lets us in")
    assert not (tmp_path / "state").exists()
    assert not (tmp_path / "run").exists()


async def test_the_report_is_readable_line_by_line(
    tmp_path: Path, broker: Broker, capsys: pytest.CaptureFixture[str]
) -> None:
    await doctor.examine(write(tmp_path, broker.port), as_json=False)
    for line in capsys.readouterr().out.splitlines():
        assert line.startswith(("ok ", "warning ", "FAILED "))


async def test_a_wrong_file_is_the_only_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, found = await findings(write(tmp_path, 1, "watts = 3"), capsys)
    assert status == 1
    assert list(found) == ["configuration"]
    assert "device.watts: this key is not known" in found["configuration"][1]


async def test_a_broker_that_is_not_there_is_a_failure_among_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, found = await findings(write(tmp_path, 1), capsys)
    assert status == 1
    assert found["broker"][0] == "failed"
    assert "check [mqtt] host and port" in found["broker"][1]
    assert found["configuration"][0] == "ok"


async def test_a_check_that_breaks_hides_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("no disk is like this")

    monkeypatch.setattr(shutil, "disk_usage", broken)
    status, found = await findings(write(tmp_path, 1), capsys)
    assert status == 1
    assert found["machine, folders"][0] == "failed"
    assert "a mistake of ours: RuntimeError('no disk is like this')" in found["machine, folders"][1]
    assert {"configuration", "broker"} <= set(found)


async def test_missing_weights_are_named(
    tmp_path: Path, broker: Broker, capsys: pytest.CaptureFixture[str]
) -> None:
    runner = '[[runner]]\nplugin = "xllamacpp"\nname = "small"\ngpus = [0]\nmodel = "/no.gguf"'
    status, found = await findings(write(tmp_path, broker.port, runner), capsys)
    assert status == 1
    assert found["runner small"][0] == "failed"
    assert "/no.gguf" in found["runner small"][1]


@pytest.mark.parametrize(
    ("sample", "result", "words"),
    [
        (Sample(Readings(power_w=20.0), 5.0), "ok", "draws 20 W, with an energy counter"),
        (Sample(Readings(power_w=20.0)), "ok", "without an energy counter"),
        (Sample(Readings(power_w=20.0), 5.0, (42,)), "warning", "another program uses it"),
        (Sample(Readings(missing={"power_w": "no sensor"})), "warning", "(no sensor)"),
        (Sample(Readings()), "warning", "no reason given"),
    ],
)
def test_a_device_is_judged_by_its_sample(sample: Sample, result: str, words: str) -> None:
    finding = judged("RTX 3090", sample)
    assert finding.result == result
    assert words in finding.text
