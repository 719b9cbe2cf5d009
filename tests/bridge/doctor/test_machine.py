"""What `hashcenter doctor` says of the machine: who asks, its folders, who else sets its GPUs."""

import os
import shutil
from pathlib import Path

import pytest

from hashcenter_bridge import masters
from hashcenter_bridge.doctor import machine
from tests.bridge.doctor.owner import by_check, loaded
from tests.bridge.masters.machine import SET, hiveos, running

NVML = '[[device]]\nplugin = "nvml"'
CPU = '[[device]]\nplugin = "cpu"'


async def test_hiveos_is_found_with_the_commands_that_switch_it_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = hiveos(tmp_path / "root", boots=True, settings=SET)
    monkeypatch.setattr(masters, "ROOT", root)
    async with running(root / "hive/bin/wd", "run"):
        (finding,) = await machine.masters(*loaded(tmp_path, NVML))
    assert (finding.check, finding.result) == ("other masters: HiveOS", "failed")
    assert "its watchdog runs" in finding.text
    assert "control is refused until it is off" in finding.text
    assert "`systemctl disable --now hive hive-watchdog hivex`; `crontab -l" in finding.text
    assert finding.text.endswith("`mv /hive-config/nvidia-oc.conf /hive-config/nvidia-oc.conf.off`")


async def test_a_machine_of_its_own_is_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(masters, "ROOT", tmp_path)
    (finding,) = await machine.masters(*loaded(tmp_path, NVML))
    assert finding.result == "ok"


async def test_a_rig_without_gpus_has_no_other_master(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(masters, "ROOT", hiveos(tmp_path / "root", boots=True))
    assert await machine.masters(*loaded(tmp_path, CPU)) == []


async def test_a_full_disk_and_a_folder_of_somebody_else_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, source = loaded(tmp_path)
    free = by_check(await machine.folders(settings, source))
    assert {one.result for one in free.values()} == {"ok"}
    usage = shutil.disk_usage(tmp_path)._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    full = by_check(await machine.folders(settings, source))["state_folder"]
    assert (full.result, "make room" in full.text) == ("warning", True)
    monkeypatch.setattr(os, "access", lambda *_: False)
    barred = by_check(await machine.folders(settings, source))["state_folder"]
    assert barred.result == "failed"
    assert f"may not write to {tmp_path}" in barred.text


async def test_whoever_is_not_the_bridges_user_is_told_how_to_ask_as_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, source = loaded(tmp_path)
    assert await machine.user(settings, source) == []
    (tmp_path / "state").mkdir()
    (same,) = await machine.user(settings, source)
    assert same.result == "ok"
    monkeypatch.setattr(os, "geteuid", lambda: 54_321)
    (other,) = await machine.user(settings, source)
    assert other.result == "warning"
    assert "you are 54321" in other.text
    assert "hashcenter doctor`" in other.text
