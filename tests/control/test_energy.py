"""Energy is added up without jumps, and never taken back."""

from hypothesis import given, strategies as st

from custom_components.hashcenter.rigs.energy import Accumulator, Daily, Remainder


def test_counting_starts_at_a_counters_first_value() -> None:
    assert Accumulator().add({"attic": 500.0}).total_kwh == 0.0


def test_the_total_rises_with_every_counter() -> None:
    total = Accumulator().add({"attic": 5.0, "cellar": 1.0}).add({"attic": 6.0, "cellar": 3.0})
    assert total.total_kwh == 3.0


def test_a_counter_that_begins_anew_neither_jumps_nor_goes_back() -> None:
    total = Accumulator().add({"attic": 5.0}).add({"attic": 6.0}).add({"attic": 0.5})
    assert total.total_kwh == 1.0
    assert total.add({"attic": 0.75}).total_kwh == 1.25


def test_a_rig_that_was_away_is_caught_up_with() -> None:
    total = Accumulator().add({"attic": 5.0}).add({}).add({"attic": 9.0})
    assert total.total_kwh == 4.0


def test_what_was_counted_stays_when_a_rig_leaves() -> None:
    total = Accumulator().add({"attic": 5.0}).add({"attic": 7.0}).add({})
    assert total.total_kwh == 2.0


@given(st.lists(st.dictionaries(st.sampled_from(["a", "b"]), st.floats(0, 1e6)), max_size=20))
def test_no_readings_whatever_make_the_total_fall(readings: list[dict[str, float]]) -> None:
    total = Accumulator()
    for reading in readings:
        later = total.add(reading)
        assert later.total_kwh >= total.total_kwh
        total = later


def test_the_remainder_is_what_the_parts_did_not_use() -> None:
    rest = Remainder().add(10.0, {"gpu": 5.0}, complete=True).add(13.0, {"gpu": 7.0}, complete=True)
    assert rest.said_kwh == 1.0


def test_parts_that_are_read_earlier_than_the_whole_take_nothing_back() -> None:
    rest = Remainder().add(10.0, {"gpu": 5.0}, complete=True).add(13.0, {"gpu": 7.0}, complete=True)
    rest = rest.add(13.0, {"gpu": 8.5}, complete=True)
    assert rest.said_kwh == 1.0
    assert rest.add(16.0, {"gpu": 8.5}, complete=True).said_kwh == 2.5


def test_a_part_that_joins_with_a_long_history_changes_nothing() -> None:
    rest = (
        Remainder()
        .add(10.0, {"gpu": 5.0}, complete=True)
        .add(11.0, {"gpu": 5.5, "moved": 900.0}, complete=True)
    )
    assert rest.said_kwh == 0.5


def test_nothing_new_is_said_while_a_part_is_still_to_be_heard() -> None:
    rest = Remainder().add(10.0, {"gpu": 5.0}, complete=True).add(20.0, {}, complete=False)
    assert rest.said_kwh == 0.0
    assert rest.add(20.0, {"gpu": 14.0}, complete=True).said_kwh == 1.0


def test_a_day_counts_from_zero_and_a_new_day_begins_at_zero() -> None:
    monday = Daily().add({"attic": 5.0}, "2026-11-23").add({"attic": 7.0}, "2026-11-23")
    assert monday.sum.total_kwh == 2.0
    tuesday = monday.add({"attic": 7.5}, "2026-11-24")
    assert tuesday.sum.total_kwh == 0.5, "what was used since the last look belongs to the new day"
