"""Filling in forms as Home Assistant's frontend does: whole, with what the fields show.

`house_with_heaters` is a house of two rigs with a machine and a miner each may warm a room with;
`Form` is one open form of it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    SOURCE_USER,
    ConfigSubentry,
    ConfigSubentryData,
    ConfigSubentryDataWithId,
    SubentryFlowContext,
)
from homeassistant.const import ATTR_DEVICE_CLASS, ATTR_UNIT_OF_MEASUREMENT
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, section
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.hashcenter.flows import forms
from tests.component.rigs import (
    ASIC,
    ATTIC,
    CELLAR,
    ScriptedRig,
    asic,
    fire_burst,
    heater,
    house_entry,
    rig_subentry,
)

MACHINE: Final = "attic/machine"
MINER: Final = "cellar/s19"
THERMOMETER: Final = "sensor.living_room"
ENGLISH: Final = json.loads((Path(forms.__file__).parents[1] / "translations/en.json").read_text())


async def house_with_heaters(
    hass: HomeAssistant, *parts: ConfigSubentryData | ConfigSubentryDataWithId, **options: Any
) -> MockConfigEntry:
    """Set up a house with a machine in the attic and a miner in the cellar."""
    assert await async_setup_component(hass, "homeassistant", {})
    entry = house_entry(rig_subentry(ATTIC), rig_subentry(CELLAR), *parts)
    entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(entry, options=options)
    assert await hass.config_entries.async_setup(entry.entry_id)
    fire_burst(ScriptedRig(hass))
    miner = heater((ASIC,), id="s19", name="S19", min_w=2000.0, max_w=3200.0, unattended_w=3100.0)
    cellar = ScriptedRig(hass, CELLAR)
    cellar.devices = {}
    cellar.say_inventory(
        devices=(asic(),),
        heaters=(miner.model_copy(update={"can_answer": False, "starts_per_day": 4}),),
    )
    cellar.beat()
    sensor(hass, THERMOMETER, "temperature", "°C")
    await hass.async_block_till_done()
    return entry


def sensor(
    hass: HomeAssistant, entity_id: str, device_class: str, unit: str, state: str = "20"
) -> None:
    """Have a sensor of somebody else's."""
    hass.states.async_set(
        entity_id, state, {ATTR_DEVICE_CLASS: device_class, ATTR_UNIT_OF_MEASUREMENT: unit}
    )


@dataclass
class Form:
    """A form that is open. `shown` is what its fields show, as the frontend would send it."""

    hass: HomeAssistant
    flows: Any
    result: dict[str, Any]
    shown: dict[str, Any] = field(default_factory=dict)

    @property
    def errors(self) -> Mapping[str, str]:
        """What is said about fields and sections."""
        errors: Mapping[str, str] = self.result["errors"] or {}
        return errors

    async def choose(self, option: str) -> Form:
        """Choose from a menu."""
        return await self._configure({"next_step_id": option})

    async def fill_in(self, *without: str, **changes: Any) -> Form:
        """Send the form as it shows itself, with fields changed or cleared; sections as dicts."""
        answers = {
            name: {**value, **changes.pop(name, {})} if isinstance(value, dict) else value
            for name, value in self.shown.items()
        }
        answers |= changes
        for name in without:
            part, _, inner = name.partition(".")
            (answers[part] if inner else answers).pop(inner or part)
        return await self._configure(answers)

    async def _configure(self, answers: dict[str, Any]) -> Form:
        result = await self.flows.async_configure(self.result["flow_id"], answers)
        await self.hass.async_block_till_done()
        return opened(self.hass, self.flows, result)

    def sentence(self, words: Mapping[str, Any], where: str) -> str:
        """Return what a person reads about a field or section."""
        text: str = words["error"][self.errors[where]]
        return text.format_map(self.result["description_placeholders"])

    def said(self, words: Mapping[str, Any]) -> str:
        """Return what a person reads above the fields or the menu."""
        text: str = words["step"][self.result["step_id"]]["description"]
        return text.format_map(self.result["description_placeholders"] or {})

    def assert_translated(self, words: Mapping[str, Any]) -> None:
        """Check that exactly the fields of the form have names and descriptions."""
        step = words["step"][self.result["step_id"]]
        plain: set[str] = set()
        sections: dict[str, set[str]] = {}
        for key, kind in self.result["data_schema"].schema.items():
            if isinstance(kind, section):
                sections[str(key)] = {str(inner) for inner in kind.schema.schema}
            else:
                plain.add(str(key))
        assert plain == set(step["data"]) == set(step["data_description"])
        assert set(sections) == set(step.get("sections", {}))
        for name, inner in sections.items():
            # A field may be hidden while there is nothing to choose.
            assert inner <= set(step["sections"][name]["data"])
        if "description" in step:
            assert "{" not in self.said(words)


async def add(hass: HomeAssistant, entry: MockConfigEntry, kind: str) -> Form:
    """Open the form that adds a subentry of a kind."""
    return await _open(hass, entry, kind, {"source": SOURCE_USER})


async def change(hass: HomeAssistant, entry: MockConfigEntry, part: ConfigSubentry) -> Form:
    """Open the form that changes a subentry."""
    about = {"source": SOURCE_RECONFIGURE, "subentry_id": part.subentry_id}
    return await _open(hass, entry, part.subentry_type, about)


async def options(hass: HomeAssistant, entry: MockConfigEntry, part: str) -> Form:
    """Open one part of the house's options."""
    flows = hass.config_entries.options
    menu = opened(hass, flows, await flows.async_init(entry.entry_id))
    assert menu.result["menu_options"] == ["money", "outdoor"]
    assert set(ENGLISH["options"]["step"]["init"]["menu_options"]) == {"money", "outdoor"}
    return await menu.choose(part)


async def _open(
    hass: HomeAssistant, entry: MockConfigEntry, kind: str, about: dict[str, Any]
) -> Form:
    flows = hass.config_entries.subentries
    result = await flows.async_init(
        (entry.entry_id, kind), context=cast("SubentryFlowContext", about)
    )
    return opened(hass, flows, result)


def opened(hass: HomeAssistant, flows: Any, result: Any) -> Form:
    """Return the form of a step's result."""
    is_form = result["type"] is FlowResultType.FORM
    return Form(hass, flows, result, _shown(result["data_schema"]) if is_form else {})


def parts(entry: MockConfigEntry, kind: str) -> dict[str, ConfigSubentry]:
    """Return the subentries of a kind by title."""
    return {one.title: one for one in entry.get_subentries_of_type(kind)}


def _shown(schema: Any) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for key, kind in schema.schema.items():
        if isinstance(kind, section):
            shown[str(key)] = _shown(kind.schema)
        elif key.description and "suggested_value" in key.description:
            shown[str(key)] = key.description["suggested_value"]
    return shown
