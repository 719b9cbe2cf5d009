"""What people want of the house: the one place where it is kept, and how it is stored.

`now` is seconds since 1970, so that a hold and a boost outlive a restart of Home Assistant.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import Any

from ..wire.values import Favor
from .requests import HeaterKey, HeatRequest
from .seen import HvacMode
from .tilt import Tilt
from .wishes import Preset, RoomWish


def _nothing() -> Mapping[Any, Any]:
    return MappingProxyType({})


@dataclass(frozen=True)
class People:
    """What people want. `unreleased` are rigs that have not heard the end of Stop all.

    `favor` is what a person chose; it holds while `tilt` is manual. `hash_for_money` are heaters
    that may hash when nobody needs their heat. `rooms` are wishes by the room's id.
    """

    requests: Mapping[HeaterKey, HeatRequest] = field(default_factory=_nothing)
    rooms: Mapping[str, RoomWish] = field(default_factory=_nothing)
    hands_off: frozenset[HeaterKey] = frozenset()
    hash_for_money: frozenset[HeaterKey] = frozenset()
    stopped: bool = False
    unreleased: frozenset[str] = frozenset()
    favor: Favor = Favor.BALANCED
    tilt: Tilt = Tilt.MANUAL

    def with_request(self, key: HeaterKey, request: HeatRequest | None) -> "People":
        """Return the same with the heater's request replaced, or dropped with None."""
        others = {other: held for other, held in self.requests.items() if other != key}
        if request is not None:
            others[key] = request
        return replace(self, requests=MappingProxyType(others))

    def with_room(self, room: str, wish: RoomWish) -> "People":
        """Return the same with another wish for the room."""
        return self.with_rooms({**self.rooms, room: wish})

    def with_rooms(self, rooms: Mapping[str, RoomWish]) -> "People":
        """Return the same with these wishes for rooms."""
        return replace(self, rooms=MappingProxyType({**rooms}))

    def without_ended(self, now: float) -> "People":
        """Return the same without the heat requests whose time is over."""
        held = {key: one for key, one in self.requests.items() if one.until > now}
        if len(held) == len(self.requests):
            return self
        return replace(self, requests=MappingProxyType(held))

    def next_end(self) -> float | None:
        """Return when the next of these wishes ends by itself, None if none does."""
        ends = [one.until for one in self.requests.values()]
        ends += [one.boost_until for one in self.rooms.values() if one.boost_until is not None]
        return min(ends, default=None)


def stored(people: People) -> dict[str, Any]:
    """Return what people want as JSON's values."""
    return {
        "favor": people.favor,
        "tilt": people.tilt,
        "stopped": people.stopped,
        "unreleased": sorted(people.unreleased),
        "hands_off": sorted(people.hands_off),
        "hash_for_money": sorted(people.hash_for_money),
        "requests": [{"key": key, **asdict(held)} for key, held in people.requests.items()],
        "rooms": {room: asdict(wish) for room, wish in people.rooms.items()},
    }


def restored(data: Mapping[str, Any], rigs: Collection[str], rooms: Collection[str]) -> People:
    """Return what `stored` wrote, without the rigs and rooms that have left the house."""
    requests = {
        HeaterKey(*held["key"]): HeatRequest(
            held["power_w"], held["until"], held.get("high_limit_c"), held.get("thermometer")
        )
        for held in data["requests"]
    }
    wishes = {room: _wish(wish) for room, wish in data.get("rooms", {}).items() if room in rooms}
    return People(
        requests=MappingProxyType({key: one for key, one in requests.items() if key.rig in rigs}),
        rooms=MappingProxyType(wishes),
        hands_off=_keys(data["hands_off"], rigs),
        hash_for_money=_keys(data.get("hash_for_money", ()), rigs),
        stopped=data["stopped"],
        unreleased=frozenset(data["unreleased"]).intersection(rigs),
        favor=Favor(data["favor"]),
        tilt=Tilt(data.get("tilt", Tilt.MANUAL)),
    )


def _keys(listed: Collection[Collection[str]], rigs: Collection[str]) -> frozenset[HeaterKey]:
    keys = (HeaterKey(*key) for key in listed)
    return frozenset(key for key in keys if key.rig in rigs)


def _wish(data: Mapping[str, Any]) -> RoomWish:
    before = data["preset_before"]
    preset = data["preset"]
    return RoomWish(
        mode=HvacMode(data["mode"]),
        preset=None if preset is None else Preset(preset),
        target_c=data["target_c"],
        boost_until=data["boost_until"],
        preset_before=None if before is None else Preset(before),
        target_before_c=data["target_before_c"],
    )
