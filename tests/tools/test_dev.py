"""The tools' own rules: what is prepared again, which tests a path chooses, what a check finds."""

import subprocess
import tomllib
from pathlib import Path

import pytest

from tools import check, test as test_command, wire
from tools.paths import ROOT
from tools.setup.console import clean_environment, run
from tools.setup.errors import SetupError
from tools.setup.stamp import Stamp


def _dev(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(ROOT / "dev"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_dev_alone_lists_every_command_in_a_line_each() -> None:
    done = _dev()
    listed = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("  ./dev ")]
    commands = "demo test check fix wire bench fleet package lock"
    assert listed == commands.split()
    assert done.returncode == 0


def test_an_unknown_command_is_one_sentence() -> None:
    done = _dev("dance")
    assert done.returncode == 2
    assert done.stderr == "There is no command 'dance'. `./dev` lists them.\n"


def test_a_folder_is_prepared_again_only_if_its_sources_changed(tmp_path: Path) -> None:
    lock = tmp_path / "a.lock"
    lock.write_text("one==1\n")
    assert not Stamp(tmp_path, lock, "3.14").is_current()
    Stamp(tmp_path, lock, "3.14").write()
    assert Stamp(tmp_path, lock, "3.14").is_current()
    assert not Stamp(tmp_path, lock, "3.11").is_current()
    lock.write_text("one==2\n")
    assert not Stamp(tmp_path, lock, "3.14").is_current()


def test_children_do_not_see_the_callers_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    monkeypatch.setenv("VIRTUAL_ENV", "elsewhere")
    environment = clean_environment()
    assert not {"PYTHONPATH", "VIRTUAL_ENV"} & set(environment)
    assert environment["PYTHONNOUSERSITE"] == "1"


def test_a_failed_program_ends_in_our_sentence_and_its_last_words() -> None:
    with pytest.raises(SetupError, match=r"^It broke\.\n    last words$"):
        run(["sh", "-c", "echo last words >&2; exit 3"], failure="It broke.")


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(SetupError, match="no-such-program did not start"):
        run(["no-such-program"], failure="It broke.")


def test_a_path_chooses_the_suites_that_hold_it() -> None:
    chosen = {
        suite.name: suite.targets(["tests/component/conftest.py"])
        for suite in test_command.suites()
    }
    assert [name for name, targets in chosen.items() if targets] == ["in Home Assistant's harness"]


def test_without_a_path_a_suite_runs_all_its_folders() -> None:
    rig = test_command.suites()[0]
    assert "tests/bridge" in rig.targets([])
    assert rig.targets(["tests"]) == sorted(rig.targets([]))


@pytest.mark.parametrize(
    "line",
    ["see https://py" + "pi.org/simple", "open('/wo" + "rk/main/x')", "cd /ro" + "ot/clone"],
)
def test_a_machines_own_path_or_index_is_found(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "ROOT", tmp_path)
    monkeypatch.setattr(check, "tracked_files", lambda: [tmp_path / "a.md"])
    (tmp_path / "a.md").write_text(f"fine: /work/shop /usr/lib\n{line}\n")
    (found,) = check.foreign_addresses()
    assert found.startswith("a.md:2: ")


def test_a_stale_left_over_or_missing_copy_of_the_wire_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, copy = tmp_path / "source", tmp_path / "copy"
    for folder in (source, copy):
        folder.mkdir()
    (source / "same.py").write_text("1")
    (copy / "same.py").write_text("1")
    (source / "stale.py").write_text("2")
    (copy / "stale.py").write_text("1")
    (source / "missing.py").write_text("3")
    (copy / "left_over.py").write_text("4")
    monkeypatch.setattr(wire, "ROOT", tmp_path)
    monkeypatch.setattr(wire, "WIRE", source)
    monkeypatch.setattr(wire, "WIRE_COPY", copy)
    monkeypatch.setattr(wire, "WIRE_SCHEMA", tmp_path / "schema.json")
    named = ["copy/left_over.py", "copy/missing.py", "copy/stale.py", "schema.json"]
    assert sorted(wire.differences()) == named
    wire.write()
    assert wire.differences() == []


def test_every_built_in_plugin_is_kept_apart_from_the_others() -> None:
    bridge = tomllib.loads((ROOT / "bridge/pyproject.toml").read_text())["project"]
    registered = [
        target.partition(":")[0]
        for family in bridge["entry-points"].values()
        for target in family.values()
    ]
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (apart,) = [rule for rule in rules["contracts"] if rule["type"] == "independence"]
    assert sorted(apart["modules"]) == sorted(registered)
