"""What survives a restart, a kill, a power cut, a full disk and a broken file."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from hashcenter_bridge.errors import ConfigError
from hashcenter_bridge.store import Kept, Store, Totals, make_folder


class Disk:
    """A state folder, a runtime folder and a clock; `open` is a start of the bridge."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.runtime = folder / "run"
        self.now = 0.0
        self.state.mkdir(parents=True)
        self.runtime.mkdir()
        self.file = self.state / "state.json"
        self.quick = self.runtime / "state.json"

    def open(self, *, read_only: bool = False) -> Store:
        return Store(self.state, self.runtime, lambda: self.now, read_only=read_only)


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


def test_a_new_rig_starts_with_nothing_and_writes_nothing(disk: Disk) -> None:
    store = disk.open()
    assert store.kept == Kept()
    assert store.failure is None
    assert list(disk.state.iterdir()) == []


def test_decisions_are_on_the_disk_at_once(disk: Disk) -> None:
    store = disk.open()
    store.kept.controller = "house"
    store.kept.stopped = True
    store.kept.ordinals["gpu:GPU-1"] = 3
    store.kept.energy["GPU-1"] = {"kwh": 1.5, "counter_j": 12.0}
    store.kept.totals.tokens = 99
    store.save()
    disk.quick.unlink()
    assert disk.open().kept == store.kept


def test_counters_survive_a_kill_without_touching_the_disk(disk: Disk) -> None:
    store = disk.open()
    store.save()
    written = disk.file.read_bytes()
    store.kept.energy["GPU-1"] = {"kwh": 2.0, "counter_j": 7.0}
    store.kept.totals.answers = 5
    disk.now = 59.0
    store.tick()
    assert disk.file.read_bytes() == written
    again = disk.open().kept
    assert again.energy == {"GPU-1": {"kwh": 2.0, "counter_j": 7.0}}
    assert again.totals == Totals(answers=5)


def test_a_power_cut_loses_a_minute_at_most(disk: Disk) -> None:
    store = disk.open()
    for disk.now in range(200):
        store.kept.energy["GPU-1"] = {"kwh": disk.now}
        store.tick()
    disk.quick.unlink()
    assert disk.open().kept.energy["GPU-1"]["kwh"] >= 199 - 60


def test_of_two_counters_the_one_that_counted_further_holds(disk: Disk) -> None:
    write(disk.file, energy={"a": {"kwh": 5.0, "counter_j": 1.0}, "b": {"kwh": 1.0}})
    write(disk.quick, energy={"a": {"kwh": 4.0, "counter_j": 9.0}, "b": {"kwh": 2.0}, "c": {}})
    assert disk.open().kept.energy == {
        "a": {"kwh": 5.0, "counter_j": 1.0},
        "b": {"kwh": 2.0},
        "c": {},
    }


def write(path: Path, **changes: Any) -> None:
    whole: dict[str, Any] = {
        "controller": None,
        "stopped": False,
        "ordinals": {},
        "energy": {},
        "totals": {},
    }
    path.write_text(json.dumps({**whole, **changes}))


def test_a_stop_that_the_full_disk_did_not_take_still_holds(disk: Disk) -> None:
    write(disk.file, stopped=False)
    write(disk.quick, stopped=True)
    assert disk.open().kept.stopped


def test_a_released_stop_does_not_come_back(disk: Disk) -> None:
    store = disk.open()
    store.kept.stopped = True
    store.save()
    store.tick()
    store.kept.stopped = False
    store.save()
    assert not disk.open().kept.stopped


def test_a_forgotten_house_does_not_come_back(disk: Disk) -> None:
    store = disk.open()
    store.kept.controller = "house"
    store.save()
    store.tick()
    store.kept.controller = None
    store.save()
    assert disk.open().kept.controller is None


def test_files_are_private(disk: Disk) -> None:
    disk.open().save()
    assert stat.S_IMODE(disk.file.stat().st_mode) == 0o600
    assert stat.S_IMODE(disk.quick.stat().st_mode) == 0o600


def test_a_decision_needs_no_runtime_folder(disk: Disk) -> None:
    disk.runtime.rmdir()
    store = disk.open()
    store.kept.stopped = True
    store.save()
    assert store.failure is None
    assert disk.open().kept.stopped


def test_a_disk_that_cannot_be_written_is_said_and_forgotten_when_it_can(disk: Disk) -> None:
    store = disk.open()
    disk.state.rmdir()
    store.kept.stopped = True
    store.save()
    assert store.failure is not None
    assert str(disk.file) in store.failure
    store.tick()
    assert store.failure is not None
    disk.state.mkdir()
    store.save()
    assert store.failure is None


def test_a_memory_that_cannot_be_written_is_not_hidden_by_the_disk(disk: Disk) -> None:
    store = disk.open()
    disk.runtime.rmdir()
    store.tick()
    disk.now = 61.0
    store.tick()
    assert store.failure is not None
    assert str(disk.quick) in store.failure


def test_a_look_beside_a_running_bridge_writes_nothing(disk: Disk) -> None:
    disk.file.write_text("garbage")
    looking = disk.open(read_only=True)
    looking.save()
    disk.now = 100.0
    looking.tick()
    assert disk.file.read_text() == "garbage"
    assert not disk.quick.exists()
    assert looking.failure is None


@pytest.mark.parametrize("broken", [b"", b"{", b"[]", b"null", b"7", b"\xff\xfe", b"[" * 5000])
def test_a_broken_file_is_set_aside_and_the_other_used(disk: Disk, broken: bytes) -> None:
    disk.file.write_bytes(broken)
    write(disk.quick, controller="house", stopped=True)
    kept = disk.open().kept
    assert kept.controller == "house"
    assert kept.stopped
    assert not disk.file.exists()
    assert disk.file.with_suffix(".broken").read_bytes() == broken


def test_a_file_that_may_not_be_read_now_is_left_where_it_is(disk: Disk) -> None:
    disk.file.mkdir()
    assert disk.open().kept == Kept()
    assert disk.file.is_dir()


def test_a_file_of_a_newer_version_keeps_its_decisions(disk: Disk) -> None:
    write(disk.file, stopped=True, controller="house", totals={"poems": 3, "tokens": 4}, news=[1])
    kept = disk.open().kept
    assert kept.stopped
    assert kept.controller == "house"
    assert kept.totals == Totals(tokens=4)


@pytest.mark.parametrize("bad", ["NaN", "Infinity", "-1.0", "1e300", '"7"', "null", "[]"])
def test_a_counter_that_is_no_number_is_forgotten_alone(disk: Disk, bad: str) -> None:
    meter = f'{{"kwh": {bad}, "counter_j": 1.0}}'
    disk.file.write_text(
        f'{{"controller": "house", "energy": {{"a": {meter}, "b": {{"kwh": 2.0}}}}}}'
    )
    kept = disk.open().kept
    assert kept.energy == {"a": {"counter_j": 1.0}, "b": {"kwh": 2.0}}
    assert kept.controller == "house"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=130),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
keys = st.sampled_from(["controller", "stopped", "ordinals", "energy", "totals", "other"])
contents = st.binary(max_size=60) | st.dictionaries(keys, json_values).map(
    lambda value: json.dumps(value).encode()
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(contents, contents)
def test_whatever_the_files_hold_the_bridge_starts_and_can_say_it(
    disk: Disk, one: bytes, other: bytes
) -> None:
    disk.file.write_bytes(one)
    disk.quick.write_bytes(other)
    kept = disk.open().kept
    assert kept.controller is None or 0 < len(kept.controller) <= 120
    assert isinstance(kept.stopped, bool)
    numbers = [value for meter in kept.energy.values() for value in meter.values()]
    numbers += [*kept.ordinals.values(), *vars(kept.totals).values()]
    assert all(0 <= number < 2**53 for number in numbers)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_truncated_file_never_loses_the_other(disk: Disk, data: st.DataObject) -> None:
    disk.file.unlink(missing_ok=True)
    disk.quick.unlink(missing_ok=True)
    store = disk.open()
    store.kept.stopped = True
    store.kept.controller = "house"
    store.kept.energy["GPU-1"] = {"kwh": 12.5}
    store.save()
    whole = disk.file.read_bytes()
    victim = data.draw(st.sampled_from([disk.file, disk.quick]))
    victim.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    assert disk.open().kept == store.kept


def test_a_folder_is_made_private(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "a" / "b", "state_folder")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_made_names_its_key(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"\[rig\] state_folder: .*file/state .*another folder"):
        make_folder(tmp_path / "file" / "state", "state_folder")
