"""Whatever is sent to forms of rooms, circuits and money: one clear sentence, or it is taken."""

import math
from typing import Any

import pytest
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData
from pytest_homeassistant_custom_component.common import MockConfigEntry

from tests.component.filling import (
    ENGLISH,
    MACHINE,
    THERMOMETER,
    add,
    house_with_heaters,
    options,
    parts,
)

pytestmark = pytest.mark.usefixtures("mqtt_mock")

ROOM = {"name": "Attic", "thermometer": THERMOMETER, "heaters": [MACHINE]}
CIRCUIT = {"name": "Attic", "volts": 230, "amps": 16}
TOO_LONG = "A name has at most 80 characters. Choose a shorter one."
#: The kind of form, what is sent, where something is wrong and what is said of it.
SAID: list[tuple[str, dict[str, Any], str, str]] = [
    ("room", {"name": "\x00\n"}, "name", "Give the room a name."),
    ("circuit", {"name": "\x00\n"}, "name", "Give the circuit a name."),
    *[
        (
            kind,
            {"name": "x" * 81},
            "name",
            "A name has at most 80 characters. Choose a shorter one.",
        )
        for kind in ("room", "circuit")
    ],
    *[
        ("room", {"around": {field: gone}}, "around", "There is no {}. Choose another one.")
        for field, gone in (
            ("windows", ["binary_sensor.gone"]),
            ("damper", "cover.gone"),
            ("backup", "climate.gone"),
        )
    ],
    (
        "circuit",
        {"supply": {"tripped": "switch.gone"}},
        "supply",
        "There is no switch.gone. Choose another one.",
    ),
]
NUMBERS: tuple[Any, ...] = (math.nan, math.inf, -math.inf, -1, 1e308, "warm", None, [], {}, 10**400)
ENTITIES: tuple[Any, ...] = (
    "",
    "x",
    "sensor.",
    "sensor.x; drop",
    "all",
    "light.lamp",
    None,
    5,
    "x" * 300,
)
REFUSED: list[tuple[str, dict[str, Any]]] = [
    *[("circuit", {field: one}) for field in ("volts", "amps", "others_w") for one in NUMBERS],
    *[("room", {"limits": {"high_c": one}}) for one in NUMBERS],
    *[("room", {"more": {"heat_loss_w_per_k": one}}) for one in NUMBERS],
    *[("room", {"temperatures": {"comfort_c": one}}) for one in NUMBERS],
    *[("room", {"around": {"backup": one}}) for one in ENTITIES],
    *[("room", {"around": {"damper": one}}) for one in ENTITIES],
    *[("room", {"around": {"windows": [one]}}) for one in ENTITIES],
    *[("circuit", {"supply": {"tripped": one}}) for one in ENTITIES],
    *[("room", {"heaters": one}) for one in (["x"], ["/"], "attic/machine", [None], [["a"]])],
    *[
        ("room", {"quiet": {"start": one, "end": "06:00:00", "max_w": 1}})
        for one in ("25:00", "noon", "-1:00", 5, "22:60")
    ],
]


async def sent(
    hass: HomeAssistant, entry: MockConfigEntry, kind: str, answers: dict[str, Any]
) -> Any:
    """Send a form of a kind with these answers; return what comes of it."""
    form = await add(hass, entry, kind)
    return await form.fill_in(**{**(ROOM if kind == "room" else CIRCUIT), **answers})


@pytest.mark.parametrize(("kind", "answers", "where", "sentence"), SAID)
async def test_what_can_be_typed_and_cannot_be_has_a_sentence(
    hass: HomeAssistant, kind: str, answers: dict[str, Any], where: str, sentence: str
) -> None:
    entry = await house_with_heaters(hass)
    form = await sent(hass, entry, kind, answers)
    said = form.sentence(ENGLISH["config_subentries"][kind], where)
    assert said == sentence.format(form.result["description_placeholders"].get("entity"))
    assert not parts(entry, kind)


async def test_what_no_form_can_send_is_refused_and_nothing_comes_of_it(
    hass: HomeAssistant,
) -> None:
    entry = await house_with_heaters(hass)
    for kind, answers in REFUSED:
        with pytest.raises(InvalidData):
            await sent(hass, entry, kind, answers)
    for flow in hass.config_entries.subentries.async_progress():
        hass.config_entries.subentries.async_abort(flow["flow_id"])
    assert not parts(entry, "room") | parts(entry, "circuit")


@pytest.mark.parametrize("kind", ["room", "circuit"])
@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("{name} %s", "{name} %s"),
        ("<b>Attic</b>", "<b>Attic</b>"),
        (" two\n lines ", "two lines"),
        ("\u0661\u0662 😀", "\u0661\u0662 😀"),
        ("...", "..."),
        ("x" * 80, "x" * 80),
    ],
)
async def test_any_other_name_is_a_name(
    hass: HomeAssistant, kind: str, typed: str, kept: str
) -> None:
    entry = await house_with_heaters(hass)
    done = await sent(hass, entry, kind, {"name": typed})
    assert done.result["type"] is FlowResultType.CREATE_ENTRY
    assert set(parts(entry, kind)) == {kept}
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED


@pytest.mark.parametrize("part", ["price_per_kwh", "alternative_cop", "hash_value_per_th_day"])
async def test_no_money_is_no_number(hass: HomeAssistant, part: str) -> None:
    entry = await house_with_heaters(hass)
    where = {"alternative_cop": "alternative", "hash_value_per_th_day": "work"}.get(part)
    for one in (math.nan, math.inf, -math.inf, "much", 10**400):
        form = await options(hass, entry, "money")
        with pytest.raises(InvalidData):
            await form.fill_in(**({where: {part: one}} if where else {part: one}))
    assert not entry.options
