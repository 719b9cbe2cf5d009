"""What people want of a room: whether it is heated, and how warm it shall be.

A preset says the temperature; a temperature that somebody sets ends the preset. Boost ends after
its time, and what held before it holds again. Pure: moments are seconds since 1970.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from .seen import HvacMode


class Preset(StrEnum):
    """A room's presets; without one, a person set the temperature."""

    COMFORT = "comfort"
    ECO = "eco"
    AWAY = "away"
    BOOST = "boost"


@dataclass(frozen=True)
class RoomWish:
    """What people want of a room now. `preset` is None once somebody set the temperature.

    `boost_until` is when boost ends; `preset_before` and `target_before_c` hold again then.
    """

    mode: HvacMode = HvacMode.OFF
    preset: Preset | None = Preset.COMFORT
    target_c: float = 21.0
    boost_until: float | None = None
    preset_before: Preset | None = None
    target_before_c: float = 21.0


def first_wish(presets_c: Mapping[Preset, float]) -> RoomWish:
    """Return the wish for a room nobody said anything about: off until somebody turns it on."""
    return RoomWish(target_c=presets_c[Preset.COMFORT])


def changed(
    wish: RoomWish,
    presets_c: Mapping[Preset, float],
    boost_s: float,
    now: float,
    *,
    mode: HvacMode | None = None,
    preset: Preset | None = None,
    target_c: float | None = None,
) -> RoomWish:
    """Return the wish after a person changed it; what is None stays. A temperature wins."""
    wish = settled(wish, presets_c, boost_s, now)
    if target_c is not None:
        wish = _without_boost(replace(wish, preset=None, target_c=target_c))
    elif preset is Preset.BOOST:
        wish = _boosted(wish, presets_c, now + boost_s)
    elif preset is not None:
        wish = _without_boost(replace(wish, preset=preset, target_c=presets_c[preset]))
    if mode is not None:
        wish = replace(wish, mode=mode)
        if mode is HvacMode.OFF and wish.preset is Preset.BOOST:
            wish = _after_boost(wish, presets_c)
    return wish


def settled(
    wish: RoomWish, presets_c: Mapping[Preset, float], boost_s: float, now: float
) -> RoomWish:
    """Return what of the wish holds now: after its time boost is over, a preset means its figure.

    A clock that was set back does not make a boost longer.
    """
    if wish.preset is Preset.BOOST:
        if wish.boost_until is None or now >= wish.boost_until:
            return _after_boost(wish, presets_c)
        wish = replace(wish, boost_until=min(wish.boost_until, now + boost_s))
    if wish.preset is not None and wish.target_c != presets_c[wish.preset]:
        wish = replace(wish, target_c=presets_c[wish.preset])
    return wish


def _boosted(wish: RoomWish, presets_c: Mapping[Preset, float], until: float) -> RoomWish:
    if wish.preset is Preset.BOOST:
        return replace(wish, boost_until=until)
    return replace(
        wish,
        preset=Preset.BOOST,
        target_c=presets_c[Preset.BOOST],
        boost_until=until,
        preset_before=wish.preset,
        target_before_c=wish.target_c,
    )


def _after_boost(wish: RoomWish, presets_c: Mapping[Preset, float]) -> RoomWish:
    preset = wish.preset_before
    target_c = wish.target_before_c if preset is None else presets_c[preset]
    return _without_boost(replace(wish, preset=preset, target_c=target_c))


def _without_boost(wish: RoomWish) -> RoomWish:
    return replace(wish, boost_until=None, preset_before=None, target_before_c=wish.target_c)
