"""What people want of a room: presets, temperatures, boost and its end."""

from dataclasses import replace

from custom_components.hashcenter.control.seen import HvacMode
from custom_components.hashcenter.control.wishes import (
    Preset,
    RoomWish,
    changed,
    first_wish,
    settled,
)

NOW = 1_800_000_000.0
PRESETS_C = {Preset.COMFORT: 21.0, Preset.ECO: 18.0, Preset.AWAY: 14.0, Preset.BOOST: 23.0}
BOOST_S = 3600.0
COMFORT = replace(first_wish(PRESETS_C), mode=HvacMode.HEAT)


def wish(before: RoomWish, now: float = NOW, **wanted: object) -> RoomWish:
    return changed(before, PRESETS_C, BOOST_S, now, **wanted)  # type: ignore[arg-type]


def test_a_room_is_off_until_somebody_turns_it_on() -> None:
    first = first_wish(PRESETS_C)
    assert (first.mode, first.preset, first.target_c) == (HvacMode.OFF, Preset.COMFORT, 21.0)


def test_a_preset_says_the_temperature() -> None:
    eco = wish(COMFORT, preset=Preset.ECO)
    assert (eco.mode, eco.preset, eco.target_c) == (HvacMode.HEAT, Preset.ECO, 18.0)


def test_a_temperature_that_somebody_sets_ends_the_preset() -> None:
    own = wish(COMFORT, target_c=19.5)
    assert (own.preset, own.target_c) == (None, 19.5)
    assert wish(COMFORT, preset=Preset.ECO, target_c=20.0).preset is None


def test_boost_ends_after_its_time_and_what_held_before_holds_again() -> None:
    for before in (wish(COMFORT, preset=Preset.ECO), wish(COMFORT, target_c=19.5)):
        boost = wish(before, preset=Preset.BOOST)
        assert (boost.target_c, boost.boost_until) == (23.0, NOW + BOOST_S)
        assert settled(boost, PRESETS_C, BOOST_S, NOW + BOOST_S - 1) == boost
        after = settled(boost, PRESETS_C, BOOST_S, NOW + BOOST_S)
        assert (after.preset, after.target_c) == (before.preset, before.target_c)
        assert after.boost_until is None


def test_boost_again_is_longer_and_returns_to_the_same() -> None:
    boost = wish(wish(COMFORT, preset=Preset.BOOST), NOW + 600, preset=Preset.BOOST)
    assert boost.boost_until == NOW + 600 + BOOST_S
    assert settled(boost, PRESETS_C, BOOST_S, NOW + 9_999).preset is Preset.COMFORT


def test_turning_the_room_off_ends_boost_and_keeps_the_preset() -> None:
    off = wish(wish(COMFORT, preset=Preset.BOOST), mode=HvacMode.OFF)
    assert (off.mode, off.preset, off.boost_until) == (HvacMode.OFF, Preset.COMFORT, None)
    assert wish(off, mode=HvacMode.HEAT).target_c == 21.0


def test_a_preset_that_its_owner_made_warmer_is_warmer_at_once() -> None:
    warmer = settled(COMFORT, {**PRESETS_C, Preset.COMFORT: 22.0}, BOOST_S, NOW)
    assert warmer.target_c == 22.0


def test_a_clock_that_was_set_back_makes_no_boost_longer() -> None:
    boost = settled(wish(COMFORT, preset=Preset.BOOST), PRESETS_C, BOOST_S, NOW - 86_400)
    assert boost.boost_until == NOW - 86_400 + BOOST_S
