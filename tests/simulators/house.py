"""A small house: measured watts in, a room temperature out.

The room is two heat stores and two resistances (2R2C): air and furniture, warmed by the heaters and
by people, lose heat to the building's mass; the mass loses it to the outdoors. `step` is pure.
`python -m tests.simulators.house --broker-port 1883 --rig demo` runs it beside the demo: it takes
`power_w` from the rig's `state` messages and gives Home Assistant two thermometers by MQTT.
Ten minutes of the house pass in one (`--speed 10`), since real walls take hours.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

import aiomqtt

_LONGEST_STEP_S: Final = 60.0
_STATE: Final = "demo_house/state"
_TELL_EVERY_S: Final = 5.0
_FORGET_AFTER_S: Final = 60.0


@dataclass(frozen=True)
class Building:
    """What a room is made of. Units: K/W, J/K, W, degrees Celsius.

    The defaults are a floor of 90 m2 in an old house: 107 W hold it one kelvin above the outdoors.
    """

    air_to_mass_k_per_w: float = 0.002
    mass_to_outdoor_k_per_w: float = 0.0073
    air_j_per_k: float = 1.5e6
    mass_j_per_k: float = 18.0e6
    gains_w: float = 240.0

    def steady_air_c(self, outdoor_c: float, heating_w: float) -> float:
        """Return the temperature at which the room stays with `heating_w` watts."""
        resistance = self.air_to_mass_k_per_w + self.mass_to_outdoor_k_per_w
        return outdoor_c + (heating_w + self.gains_w) * resistance


@dataclass(frozen=True)
class Room:
    """The temperatures now, in degrees Celsius."""

    air_c: float
    mass_c: float
    outdoor_c: float


def step(building: Building, room: Room, heating_w: float, dt_s: float) -> Room:
    """Return the room `dt_s` seconds later, with `heating_w` watts all the while."""
    while dt_s > 0:
        part_s = min(dt_s, _LONGEST_STEP_S)
        dt_s -= part_s
        inward_w = (room.air_c - room.mass_c) / building.air_to_mass_k_per_w
        outward_w = (room.mass_c - room.outdoor_c) / building.mass_to_outdoor_k_per_w
        air_w = heating_w + building.gains_w - inward_w
        room = replace(
            room,
            air_c=room.air_c + air_w * part_s / building.air_j_per_k,
            mass_c=room.mass_c + (inward_w - outward_w) * part_s / building.mass_j_per_k,
        )
    return room


def settled(building: Building, air_c: float, outdoor_c: float) -> Room:
    """Return a room that has long been at `air_c`."""
    share = building.mass_to_outdoor_k_per_w / (
        building.air_to_mass_k_per_w + building.mass_to_outdoor_k_per_w
    )
    return Room(air_c, outdoor_c + (air_c - outdoor_c) * share, outdoor_c)


def discoveries() -> dict[str, str]:
    """Return Home Assistant's MQTT discovery messages for the two thermometers, by topic."""
    return {
        f"homeassistant/device/demo_{key}/config": json.dumps(
            {
                "device": {"identifiers": [f"demo_{key}"], "name": place},
                "origin": {"name": "Hashcenter demo"},
                "state_topic": _STATE,
                "components": {
                    "thermometer": {
                        "platform": "sensor",
                        "unique_id": f"demo_{key}",
                        "default_entity_id": f"sensor.{key}",
                        "device_class": "temperature",
                        "state_class": "measurement",
                        "unit_of_measurement": "°C",
                        "suggested_display_precision": 1,
                        "expire_after": 60,
                        "value_template": f"{{{{ value_json.{key} }}}}",
                    }
                },
            }
        )
        for key, place in (
            ("room_temperature", "Living room"),
            ("outdoor_temperature", "Outdoors"),
        )
    }


class House:
    """The running house: hears watts, tells temperatures. `clock` counts seconds."""

    def __init__(
        self, building: Building, room: Room, speed: float, clock: Callable[[], float]
    ) -> None:
        self._building, self._room, self._speed, self._clock = building, room, speed, clock
        self._heating_w = 0.0
        self._heard_at = self._stepped_at = clock()

    async def hear(self, client: aiomqtt.Client) -> None:
        """Take the watts from each state message of the rig."""
        async for message in client.messages:
            with suppress(ValueError, TypeError, KeyError):
                self._heating_w = float(json.loads(bytes(message.payload))["power_w"])
                self._heard_at = self._clock()

    async def tell(self, client: aiomqtt.Client) -> None:
        """Step and publish the temperatures every few seconds."""
        for topic, message in discoveries().items():
            await client.publish(topic, message, qos=1, retain=True)
        while True:
            now = self._clock()
            # A rig that is silent may well still draw; it is only forgotten after a while.
            heating_w = self._heating_w if now - self._heard_at < _FORGET_AFTER_S else 0.0
            dt_s = (now - self._stepped_at) * self._speed
            self._room = step(self._building, self._room, heating_w, dt_s)
            self._stepped_at = now
            temperatures = {
                "room_temperature": round(self._room.air_c, 2),
                "outdoor_temperature": round(self._room.outdoor_c, 2),
            }
            await client.publish(_STATE, json.dumps(temperatures), retain=True)
            await asyncio.sleep(_TELL_EVERY_S)


async def run(arguments: argparse.Namespace) -> None:
    """Run the house until it is ended; connect again when the broker goes away."""
    building = Building()
    room = settled(building, arguments.room, arguments.outdoor)
    house = House(building, room, arguments.speed, time.monotonic)
    while True:
        try:
            async with (
                aiomqtt.Client(
                    "127.0.0.1", arguments.broker_port, protocol=aiomqtt.ProtocolVersion.V5
                ) as client,
                asyncio.TaskGroup() as group,
            ):
                await client.subscribe(f"hashcenter/v1/{arguments.rig}/state")
                group.create_task(house.hear(client))
                group.create_task(house.tell(client))
        except* aiomqtt.MqttError:
            await asyncio.sleep(1.0)


def main() -> None:
    """Run the house as a program."""
    parser = argparse.ArgumentParser(description="A building model for the demo.")
    parser.add_argument("--broker-port", type=int, required=True)
    parser.add_argument("--rig", required=True)
    parser.add_argument("--room", type=float, default=18.0, help="at first, in degrees Celsius")
    parser.add_argument("--outdoor", type=float, default=4.0, help="in degrees Celsius")
    parser.add_argument("--speed", type=float, default=10.0, help="seconds of the house per second")
    try:
        asyncio.run(run(parser.parse_args()))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
