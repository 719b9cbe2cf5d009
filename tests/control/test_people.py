"""What people want: kept, ended in time, and brought back from the store as it was."""

import json

from custom_components.hashcenter.control.people import People, restored, stored
from custom_components.hashcenter.control.requests import HeaterKey, HeatRequest
from custom_components.hashcenter.control.seen import HvacMode
from custom_components.hashcenter.control.tilt import Tilt
from custom_components.hashcenter.control.wishes import Preset, RoomWish
from custom_components.hashcenter.wire.values import Favor

NOW = 1_800_000_000.0
KEY = HeaterKey("attic", "machine")
OTHER = HeaterKey("cellar", "s19")
EVERYTHING = (
    People(
        hands_off=frozenset({OTHER}),
        hash_for_money=frozenset({KEY}),
        stopped=True,
        unreleased=frozenset({"attic"}),
        favor=Favor.HASHING,
        tilt=Tilt.SOLAR,
    )
    .with_request(KEY, HeatRequest(600.0, NOW + 60, 25.0, "sensor.bath"))
    .with_room("living", RoomWish(HvacMode.HEAT, Preset.BOOST, 23.0, NOW + 30, None, 19.0))
    .with_room("bath", RoomWish(preset=None, target_c=24.5))
)


def through_json(people: People, rigs: set[str], rooms: set[str]) -> People:
    return restored(json.loads(json.dumps(stored(people))), rigs, rooms)


def test_everything_comes_back_from_the_store() -> None:
    assert through_json(EVERYTHING, {"attic", "cellar"}, {"living", "bath"}) == EVERYTHING


def test_what_was_wanted_of_rigs_and_rooms_that_left_is_forgotten() -> None:
    left = through_json(EVERYTHING, {"cellar"}, {"bath"})
    assert not left.requests
    assert not left.hash_for_money
    assert not left.unreleased
    assert left.hands_off == {OTHER}
    assert set(left.rooms) == {"bath"}


def test_a_store_from_before_rooms_is_read() -> None:
    old = {
        "favor": "balanced",
        "stopped": False,
        "unreleased": [],
        "hands_off": [],
        "requests": [{"key": ["attic", "machine"], "power_w": 600.0, "until": NOW}],
    }
    people = restored(old, {"attic"}, set())
    assert people.requests == {KEY: HeatRequest(600.0, NOW)}
    assert people.tilt is Tilt.MANUAL


def test_a_request_whose_time_is_over_is_forgotten() -> None:
    assert EVERYTHING.without_ended(NOW + 59) is EVERYTHING
    assert not EVERYTHING.without_ended(NOW + 60).requests


def test_the_next_end_is_the_earliest_of_holds_and_boosts() -> None:
    assert EVERYTHING.next_end() == NOW + 30
    assert People().next_end() is None
