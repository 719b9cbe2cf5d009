"""What is installed is complete: every name is translated, every file as Home Assistant wants it.

Home Assistant's own validator runs from a checkout of its source only, so the same rules are read
here from what this version of Home Assistant loads.
"""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from awesomeversion import AwesomeVersion
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er, icon, issue_registry as ir
from homeassistant.helpers.service import async_get_all_descriptions
from homeassistant.loader import async_get_integration
from homeassistant.util.yaml import load_yaml_dict

import hashcenter_bridge
from custom_components.hashcenter import condition, issues, trigger
from custom_components.hashcenter.const import BRIDGE_VERSION, DOMAIN, PLATFORMS
from custom_components.hashcenter.wire import topics
from custom_components.hashcenter.wire.messages import VoiceProgram
from custom_components.hashcenter.wire.values import Readings
from tests.component.rigs import (
    ASIC,
    ATTIC,
    CELLAR,
    ScriptedRig,
    asic,
    fire_burst,
    heater,
    set_up_house,
)
from tests.component.rooms import (
    HASH_VALUE,
    MONEY,
    circuit_subentry,
    room_subentry,
    say_hash_value,
    set_up_rooms,
)

FOLDER: Final = Path(issues.__file__).parent


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object none of whose keys stands twice: the first would be lost without a word."""
    assert len(dict(pairs)) == len(pairs), [key for key, _ in pairs]
    return dict(pairs)


ENGLISH: Final = json.loads((FOLDER / "translations/en.json").read_text(), object_pairs_hook=once)
ACTIONS: Final = {
    "request_heat",
    "release_heat",
    "queue_task",
    "task_result",
    "cancel_task",
}
ICONS: Final = json.loads((FOLDER / "icons.json").read_text())


def sources() -> Iterator[tuple[str, ast.Module]]:
    """Return every module of ours, by name, as a tree."""
    for path in sorted(FOLDER.rglob("*.py")):
        yield path.relative_to(FOLDER).as_posix(), ast.parse(path.read_text())


def literals(pattern: str) -> set[str]:
    """Return what a pattern finds in our sources."""
    return {
        found for path in FOLDER.rglob("*.py") for found in re.findall(pattern, path.read_text())
    }


@pytest.mark.usefixtures("mqtt_mock", "all_enabled")
async def test_every_entity_has_a_name_and_every_state_of_an_enum_too(hass: HomeAssistant) -> None:
    say_hash_value(hass)
    entry = await set_up_rooms(
        hass,
        room_subentry(windows=["binary_sensor.window"]),
        circuit_subentry(),
        rigs=(ATTIC, CELLAR),
        money={**MONEY, "hash_value_entity": HASH_VALUE},
    )
    fire_burst(ScriptedRig(hass))
    cellar = ScriptedRig(hass, CELLAR)
    miner = asic(readings=tuple(Readings.model_fields))
    cellar.say_inventory(devices=(miner,), heaters=(heater((ASIC,), id="s19", starts_per_day=6),))
    cellar.beat(voice=(VoiceProgram(name="ears", available=True),))
    await hass.async_block_till_done()
    used: set[tuple[str, str]] = set()
    registry = er.async_get(hass)
    found = er.async_entries_for_config_entry(registry, entry.entry_id)
    solo = {**MONEY, "hash_value_entity": HASH_VALUE, "solo": True}
    hass.config_entries.async_update_entry(entry, options={"money": solo})
    await hass.async_block_till_done()
    found += er.async_entries_for_config_entry(registry, entry.entry_id)
    for one in found:
        if one.domain in ("ai_task", "conversation"):
            continue
        assert one.translation_key
        used.add((one.domain, one.translation_key))
        words = ENGLISH["entity"][one.domain][one.translation_key]
        assert words.get("name") or one.original_name is None, "a room's thermostat has its name"
        options = (one.capabilities or {}).get("options", [])
        assert set(words.get("state", {})) >= set(options), one.entity_id
    translated = {(domain, key) for domain, keys in ENGLISH["entity"].items() for key in keys}
    assert translated == used, "what is translated exists, and the other way round"


def test_every_icon_is_of_an_entity_or_an_action() -> None:
    for domain, keys in ICONS["entity"].items():
        assert set(keys) <= set(ENGLISH["entity"][domain])
        for key, shown in keys.items():
            states = ENGLISH["entity"][domain][key].get("state", {})
            if domain not in ("binary_sensor", "switch"):
                assert set(shown.get("state", {})) <= set(states)
    for kind in ("services", "triggers", "conditions"):
        assert set(ICONS[kind]) == set(ENGLISH[kind])


def test_every_error_has_a_sentence() -> None:
    raised = literals(r'translation_key="([a-z_0-9]+)"') | literals(r'mistake\("([a-z_]+)"')
    raised |= literals(r'\n    key = "([a-z_]+)"') | {"stop_unconfirmed", "resume_unconfirmed"}
    assert raised - set(ENGLISH["selector"]) <= set(ENGLISH["exceptions"])


def test_every_repair_has_its_words() -> None:
    kinds = {
        issues.MQTT_3,
        issues.PROTOCOL_MISMATCH,
        issues.EXPOSED,
        issues.TOO_MANY_ENTITIES,
        issues.UNATTENDED,
        issues.NO_EFFECT_OFTEN,
        issues.POOL_CHANGED,
        *issues.FIXABLE,
    }
    assert set(ENGLISH["issues"]) == kinds
    for kind in kinds:
        words = ENGLISH["issues"][kind]
        assert words["title"]
        if kind in issues.FIXABLE:
            assert set(words["fix_flow"]["step"]) == {"key", "confirm"}
            assert words["fix_flow"]["error"] == ENGLISH["config"]["error"]
        else:
            assert words["description"]


SUBENTRIES: Final = ENGLISH["config_subentries"]


@pytest.mark.parametrize(
    ("words", "modules"),
    [
        (ENGLISH["config"], ("config_flow.py",)),
        (SUBENTRIES["rig"], ("flows/rig_flow.py",)),
        (SUBENTRIES["room"], ("flows/room_flow.py",)),
        (SUBENTRIES["circuit"], ("flows/circuit_flow.py",)),
        (SUBENTRIES["conversation"], ("flows/answer_flow.py", "flows/conversation_flow.py")),
        (SUBENTRIES["ai_task_data"], ("flows/answer_flow.py", "flows/ai_task_flow.py")),
        (
            ENGLISH["options"],
            ("flows/options_flow.py", "flows/money_form.py", "flows/tilt_form.py"),
        ),
    ],
)
def test_every_step_and_end_of_a_flow_has_its_words(
    words: dict[str, Any], modules: tuple[str, ...]
) -> None:
    text = "".join((FOLDER / module).read_text() for module in modules)
    shown = set(re.findall(r'step_id="([a-z_]+)"', text)) | set(
        re.findall(r'_form\("([a-z_]+)"', text)
    )
    assert shown == set(words["step"])
    ends = set(re.findall(r'async_abort\(\s*reason="([a-z_]+)"', text))
    assert ends <= set(words.get("abort", {}))
    advice = set(re.findall(r'description="([a-z_]+)"', text))
    assert advice <= set(words.get("create_entry", {}))
    if "Mistakes" in text:
        text += (FOLDER / "flows/forms.py").read_text()
        said = set(re.findall(r'mistakes\.add\(\s*[a-z_."()]+,\s*"([a-z_]+)"', text))
        assert said <= set(words["error"]) | set(SUBENTRIES["room"]["error"])
        assert all(f'"{code}"' in text for code in words["error"])
    for step in words["step"].values():
        for part in (step, *step.get("sections", {}).values()):
            assert set(part.get("data", {})) == set(part.get("data_description", {}))
        assert all(part["name"] for part in step.get("sections", {}).values())


def test_every_subentry_says_what_it_is_and_how_it_is_added_and_changed() -> None:
    for words in SUBENTRIES.values():
        assert words["entry_type"]
        assert set(words["initiate_flow"]) == {"user", "reconfigure"}
        assert "reconfigure_successful" in words["abort"]


async def test_the_actions_are_described(hass: HomeAssistant) -> None:
    described = load_yaml_dict(FOLDER / "services.yaml")
    assert set(described) == set(ENGLISH["services"]) == ACTIONS
    for name, action in described.items():
        assert set(action.get("fields", {})) == set(ENGLISH["services"][name].get("fields", {}))


@pytest.mark.parametrize("kind", ["triggers", "conditions"])
def test_triggers_and_conditions_are_described(kind: str) -> None:
    described = load_yaml_dict(FOLDER / f"{kind}.yaml")
    described = {key: one for key, one in described.items() if not key.startswith(".")}
    made = {"triggers": set(trigger.TRIGGERS), "conditions": set(condition.CONDITIONS)}
    assert set(described) == set(ENGLISH[kind]) == made[kind]
    for key, one in described.items():
        assert set(one["fields"]) == set(ENGLISH[kind][key]["fields"])
        assert {shown["integration"] for shown in one["target"]["entity"]} == {DOMAIN}


@pytest.mark.usefixtures("mqtt_mock")
async def test_home_assistant_reads_the_actions_and_icons_without_a_word(
    hass: HomeAssistant, caplog: pytest.LogCaptureFixture
) -> None:
    await set_up_house(hass)
    caplog.clear()
    assert set((await async_get_all_descriptions(hass))[DOMAIN]) == ACTIONS
    assert DOMAIN in await icon.async_get_icons(hass, "entity", integrations=[DOMAIN])
    assert not [
        record.getMessage()
        for record in caplog.records
        if record.levelname in ("WARNING", "ERROR") and DOMAIN in record.getMessage()
    ]


async def test_the_manifest_is_in_order(hass: HomeAssistant) -> None:
    manifest = json.loads((FOLDER / "manifest.json").read_text())
    keys = list(manifest)
    assert keys == ["domain", "name", *sorted(keys[2:])]
    assert manifest["mqtt"] == [topics.ANNOUNCE.of("+")]
    assert manifest["requirements"] == ["pydantic>=2.11,<3"]
    integration = await async_get_integration(hass, DOMAIN)
    assert AwesomeVersion(integration.version or "").valid
    assert integration.iot_class == "local_push"
    assert integration.integration_type == "hub"
    for file in ("icon.png", "icon@2x.png", "logo.png", "icon.svg"):
        assert (FOLDER / "brand" / file).stat().st_size


def test_the_quality_scale_names_every_rule_with_a_reason_for_each_exemption() -> None:
    ours = load_yaml_dict(FOLDER / "quality_scale.yaml")["rules"]
    theirs = load_yaml_dict(Path(ir.__file__).parents[1] / "components/mqtt/quality_scale.yaml")[
        "rules"
    ]
    assert set(ours) == set(theirs)
    for rule, status in ours.items():
        if isinstance(status, dict):
            assert status["status"] == "exempt", rule
            assert status["comment"], rule
        else:
            assert status in ("done", "todo"), rule


def test_every_platform_says_how_many_may_be_asked_at_once() -> None:
    for name in PLATFORMS:
        tree = dict(sources())[f"{name}.py"]
        names = [
            target.id
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        ]
        assert "PARALLEL_UPDATES" in names, name


def test_the_bridge_it_was_made_for_is_the_one_beside_it() -> None:
    assert AwesomeVersion(BRIDGE_VERSION) == hashcenter_bridge.__version__
