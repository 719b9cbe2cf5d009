"""What outlasts the bridge is kept, and a broken file costs nothing but what it held."""

import json
from pathlib import Path
from typing import Any

import pytest

from hashcenter_bridge.devices.asic import Pool
from hashcenter_bridge.fleet import memory
from hashcenter_bridge.fleet.pools import listed, what_changed
from hashcenter_bridge.store import Store
from tests.bridge.fleet.scripted import MAC, POOLS, Machine


@pytest.mark.parametrize(
    "raw",
    [
        None,
        [],
        "text",
        {"starts": "often", "pools": 7, "address": 3, "device": "S19"},
        {"starts": [None, "x", {}], "pools": [["only one"], 5]},
        {"device": {"uid": MAC}},
    ],
)
def test_a_file_that_nobody_wrote_is_survived(raw: Any) -> None:
    kept = memory.understood(raw)
    assert kept.starts == []
    assert memory.known_device(kept) is None
    assert not kept.interrupted


def test_starts_keep_their_age_over_a_restart() -> None:
    kept = memory.Kept()
    memory.note_starts(kept, (100.0, 5000.0), 6000.0, wall=lambda: 1_000_000.0)
    again = memory.starts_since(kept, 50.0, wall=lambda: 1_003_600.0)
    assert again == (50.0 - 3600.0 - 5900.0, 50.0 - 3600.0 - 1000.0)


def test_a_clock_that_was_set_back_forgets_no_start() -> None:
    kept = memory.Kept(starts=[1_000_000.0])
    assert memory.starts_since(kept, 10.0, wall=lambda: 500_000.0) == (10.0,)


def test_a_start_of_yesterday_is_forgotten() -> None:
    kept = memory.Kept(starts=[1_000_000.0])
    assert memory.starts_since(kept, 10.0, wall=lambda: 1_090_000.0) == ()


def test_everything_survives_the_store(tmp_path: Path) -> None:
    store = Store(tmp_path, tmp_path / "run", lambda: 0.0)
    device = Machine().device("10.0.0.1")
    kept = memory.Kept("10.0.0.1", None, [5.0], listed(POOLS), interrupted=True)
    assert memory.note_device(kept, device)
    assert not memory.note_device(kept, device)
    store.kept.asics[MAC] = kept
    store.save()
    again = Store(tmp_path, tmp_path / "run", lambda: 0.0).kept.asics[MAC]
    assert again == kept
    assert memory.known_device(again) == device
    raw = json.loads((tmp_path / "state.json").read_text())
    assert raw["asics"][MAC]["starts"] == [5.0]


def test_only_what_a_person_would_call_a_change_is_one() -> None:
    adopted = listed(POOLS)
    first, second = POOLS
    assert what_changed(adopted, (second, first)) is None
    assert what_changed(adopted, ()) is None
    fewer = what_changed(adopted, (first,))
    assert fewer is not None
    assert "fewer pools" in fewer
    other = what_changed(adopted, (Pool("stratum+tcp://me:pw@thief.example:1", "x"),))
    assert other is not None
    assert "stratum+tcp://thief.example:1" in other
    assert "pw" not in other
