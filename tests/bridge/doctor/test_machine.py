"""What `hashcenter doctor` says of the machine: who else sets its GPUs, and how to end it."""

from pathlib import Path

import pytest

from hashcenter_bridge import config, masters
from hashcenter_bridge.doctor import machine
from tests.bridge.masters.machine import SET, hiveos, running

FILE = '[rig]\nid = "attic"\n[[device]]\nplugin = "{device}"\n'


def loaded(folder: Path, device: str = "nvml") -> tuple[config.Config, config.Source]:
    file = folder / "hashcenter.toml"
    file.write_text(FILE.format(device=device))
    return config.load(file)


async def test_hiveos_is_found_with_the_commands_that_switch_it_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = hiveos(tmp_path / "root", boots=True, settings=SET)
    monkeypatch.setattr(masters, "ROOT", root)
    async with running(root / "hive/bin/wd", "run"):
        (finding,) = await machine.masters(*loaded(tmp_path))
    assert (finding.check, finding.result) == ("other masters: HiveOS", "failed")
    assert "its watchdog runs" in finding.text
    assert "control is refused until it is off" in finding.text
    assert "`systemctl disable --now hive hive-watchdog hivex`; `crontab -l" in finding.text
    assert finding.text.endswith("`mv /hive-config/nvidia-oc.conf /hive-config/nvidia-oc.conf.off`")


async def test_a_machine_of_its_own_is_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(masters, "ROOT", tmp_path)
    (finding,) = await machine.masters(*loaded(tmp_path))
    assert finding.result == "ok"


async def test_a_rig_without_gpus_has_no_other_master(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(masters, "ROOT", hiveos(tmp_path / "root", boots=True))
    assert await machine.masters(*loaded(tmp_path, "cpu")) == []
