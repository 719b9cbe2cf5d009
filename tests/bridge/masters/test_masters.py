"""Other masters of the GPUs: found by files and by real processes, with the way to end them."""

from pathlib import Path

import pytest

from hashcenter_bridge.masters import Master, find, sentence
from tests.bridge.masters.machine import SET, hiveos, running, waiting


def the_one(root: Path) -> Master:
    (found,) = find(root)
    return found


def test_a_machine_without_another_master_has_none(tmp_path: Path) -> None:
    assert find(tmp_path) == ()
    assert sentence(()) is None


def test_hiveos_that_is_switched_off_is_no_master(tmp_path: Path) -> None:
    assert find(hiveos(tmp_path, settings='CLOCK="0 0"\nPLIMIT=""\nFAN="70"\n')) == ()


@pytest.mark.parametrize(
    ("script", "argument", "words", "command"),
    [
        ("bin/agent", "run", "its agent runs", "screen -S agent -X quit"),
        ("bin/wd", "run", "its watchdog runs", "systemctl disable --now hive hive-watchdog hivex"),
        ("bin/miner-run", "t-rex", "its miner runs", "miner stop"),
        ("sbin/autofan", "run", "its autofan runs", "autofan stop"),
        ("sbin/nvidia-oc", "delayed", "its overclocking is being applied", "nvidia-oc stop"),
    ],
)
async def test_what_of_hiveos_runs_is_found_by_its_process(
    tmp_path: Path, script: str, argument: str, words: str, command: str
) -> None:
    hiveos(tmp_path)
    async with running(tmp_path / "hive" / script, argument):
        found = the_one(tmp_path)
    assert found.name == "HiveOS"
    assert len(found.does) == 1
    assert found.does[0].startswith(words)
    assert command in found.off
    assert find(tmp_path) == ()


async def test_a_screen_that_hiveos_opened_is_found(tmp_path: Path) -> None:
    hiveos(tmp_path)
    async with running("/bin/sh", waiting(tmp_path), "-S", "autoswitch", name="SCREEN"):
        found = the_one(tmp_path)
    assert found.does == ("its autoswitch runs, which changes miners",)
    assert "autoswitch stop" in found.off


async def test_somebody_elses_screen_of_that_name_is_none(tmp_path: Path) -> None:
    async with running("/bin/sh", waiting(tmp_path), "-S", "agent", name="SCREEN"):
        assert find(tmp_path) == ()


def test_hiveos_that_starts_with_the_machine_is_a_master_before_it_runs(tmp_path: Path) -> None:
    found = the_one(hiveos(tmp_path, boots=True))
    assert found.does == ("it starts with the machine",)
    assert found.off[0] == "systemctl disable --now hive hive-watchdog hivex"


def test_a_crontab_that_starts_the_agent_again_is_found(tmp_path: Path) -> None:
    hiveos(tmp_path)
    table = tmp_path / "var/spool/cron/crontabs/root"
    table.parent.mkdir(parents=True)
    table.write_text("# */10 * * * * /hive/bin/agent-screen dontattach\n")
    assert find(tmp_path) == ()
    table.write_text("*/10 * * * * /hive/bin/agent-screen dontattach || echo started\n")
    found = the_one(tmp_path)
    assert found.does == ("cron starts its agent",)
    assert "crontab -l | grep -v agent-screen | crontab -" in found.off


def test_overclocking_counts_until_its_file_is_gone_or_maintenance_forbids_it(
    tmp_path: Path,
) -> None:
    hiveos(tmp_path, settings=SET)
    found = the_one(tmp_path)
    assert found.does == ("its overclocking is set",)
    assert found.off[-2:] == (
        "nvidia-oc reset",
        "mv /hive-config/nvidia-oc.conf /hive-config/nvidia-oc.conf.off",
    )
    (tmp_path / "hive-config/rig.conf").write_text("MAINTENANCE=2\n")
    assert find(tmp_path) == ()
    (tmp_path / "hive-config/rig.conf").write_text("MAINTENANCE=1\n")
    assert find(tmp_path)
    file = tmp_path / "hive-config/nvidia-oc.conf"
    file.rename(file.with_suffix(".conf.off"))
    assert find(tmp_path) == ()


async def test_lact_is_a_master_while_it_has_a_cap_to_set(tmp_path: Path) -> None:
    config = tmp_path / "etc/lact/config.yaml"
    config.parent.mkdir(parents=True)
    async with running("/bin/sh", waiting(tmp_path), name="lactd"):
        assert find(tmp_path) == ()
        config.write_text("gpus:\n  10DE-2204:\n    fan_control_enabled: false\n")
        assert find(tmp_path) == ()
        config.write_text("gpus:\n  10DE-2204:\n    power_cap: 250.0\n")
        found = the_one(tmp_path)
    assert (found.name, found.off) == ("LACT", ("systemctl disable --now lactd",))
    assert find(tmp_path) == ()


def test_the_sentence_fits_the_wire_whatever_is_found() -> None:
    many = Master("HiveOS", tuple(f"its part number {one} runs" for one in range(40)), ())
    said = sentence([many, many])
    assert said is not None
    assert len(said) <= 400
    assert said.startswith("HiveOS sets these GPUs, too: its part number 0 runs, ")
    assert said.endswith("`hashcenter doctor` says how to end it.")
