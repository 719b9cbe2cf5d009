"""Whatever is said on a rig's topics: no mistake of ours, and no entity that shows nonsense.

HASHCENTER_TEST_LONG=1 says 100,000 messages.
"""

import json
import logging
import math
import os
import random
from typing import Any

import pytest
from homeassistant.const import UnitOfPower, UnitOfTemperature
from homeassistant.core import HomeAssistant, State
from pytest_homeassistant_custom_component.common import async_fire_mqtt_message

from custom_components.hashcenter.const import DOMAIN
from custom_components.hashcenter.wire import topics
from custom_components.hashcenter.wire.codec import WireModel, encode
from custom_components.hashcenter.wire.messages import Event, Response
from tests import fuzzing
from tests.component.filling import house_with_heaters
from tests.component.rigs import ATTIC, ScriptedRig, fire_burst, house_of

pytestmark = [pytest.mark.usefixtures("mqtt_mock"), pytest.mark.timeout(3600)]

TIMES = 100_000 if os.environ.get("HASHCENTER_TEST_LONG") == "1" else 1_500
_EACH = 50
#: No home has more, and no chip survives it.
_MOST_W, _MOST_C = 1_000_000.0, 1_000.0


def said_by(rig: ScriptedRig) -> dict[str, bytes]:
    """Return one right message for each topic of the rig, by topic."""
    messages: dict[topics.Topic[Any], WireModel] = {
        topics.ANNOUNCE: rig.announce,
        topics.INVENTORY: rig.inventory,
        topics.STATE: rig.state,
        topics.EVENT: Event(boot_id=rig.boot_id, tick=1.0, code="gpu_lost", text="GPU 0 is lost"),
        topics.RESPONSE: Response(
            id="1", controller="house", seq=1, result="accepted", code="accepted"
        ),
    }
    said = {topic.of(ATTIC): encode(message).encode() for topic, message in messages.items()}
    for uid, state in rig.devices.items():
        said[topics.DEVICE.of(ATTIC, uid)] = encode(state).encode()
    return said


def nonsense(state: State) -> str | None:
    """Return what is wrong with what an entity shows."""
    try:
        shown = float(state.state)
    except ValueError:
        return None if len(state.state) <= 255 else "too long"
    unit = state.attributes.get("unit_of_measurement")
    if not math.isfinite(shown):
        return "not a number"
    if unit == UnitOfPower.WATT and not 0 <= shown <= _MOST_W:
        return "no watts"
    if unit == UnitOfTemperature.CELSIUS and not -273.15 <= shown <= _MOST_C:
        return "no temperature"
    return None


async def test_whatever_a_rig_says_the_house_shows_no_nonsense(
    hass: HomeAssistant, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    entry = await house_with_heaters(hass)
    rig = ScriptedRig(hass)
    fire_burst(rig)
    await hass.async_block_till_done()
    chance, right = random.Random(3), said_by(rig)
    names = sorted(right)
    for turn in range(TIMES // _EACH):
        for _ in range(_EACH):
            name = chance.choice(names)
            others = [right[name], right[chance.choice(names)]]
            payload = fuzzing.payload(chance, others)
            async_fire_mqtt_message(hass, name, payload, retain=chance.random() < 0.1)
        rig.tick += 1
        rig.beat()
        await hass.async_block_till_done()
        states = [
            one
            for one in hass.states.async_all()
            if one.entity_id.partition(".")[2].startswith(("attic", "hashcenter", "gpu"))
        ]
        assert states, "no entity of ours is there"
        wrong = {one.entity_id: (one.state, found) for one in states if (found := nonsense(one))}
        assert not wrong, f"turn {turn}: {wrong}"
        bad = [
            record.getMessage()
            for record in caplog.records
            if record.levelno >= logging.ERROR or record.exc_info
        ]
        assert not bad, f"turn {turn}: {bad[0]}"
        caplog.clear()
    assert house_of(entry).rigs[ATTIC].invalid_total > TIMES // 10
    rig.tick += 1
    fire_burst(rig)
    await hass.async_block_till_done()
    assert house_of(entry).rigs[ATTIC].data.online
    assert hass.config_entries.async_entries(DOMAIN)[0].state.value == "loaded"
    assert json.dumps(sorted(names))
