"""Every task of a voice test set, played right by a scripted model, in a real home.

This proves the way from a model's call to a change in the home, and nothing about any model.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from homeassistant.core import HomeAssistant

from tests.component.synthetic_home import Made, build
from tests.component.talking import (
    KEY,
    agent_subentry,
    rig_says,
    rig_subentry,
    say,
    set_up,
)
from tests.conformance.assist_mini import Change, Home, Task, homes, right_calls
from tests.conformance.plays import calls, says
from tests.conformance.scripted_upstream import Play, Received, ScriptedUpstream

pytestmark = pytest.mark.usefixtures("socket_enabled", "mqtt_mock")

HOMES = (
    "dom1-pl-lights",
    "dom1-pl-todo",
    "home1-us-cover-garage",
    "home1-us-lock",
    "home1-us-vacuum",
    "home2-ru-valve",
    "home5-cn-fan",
    "home5-cn-light",
    "home7-dk-cover-curtain",
    "home7-dk-media-player",
)
#: What Home Assistant derives from the state.
DERIVED = frozenset({"is_closed"})
#: Tasks whose changes no tool of Assist can make.
UNREACHABLE: frozenset[str] = frozenset()


@pytest.fixture
def described(shared_fixtures: Path) -> dict[str, Home]:
    """The homes of the set by name."""
    return {home.name: home for home in homes(shared_fixtures / "assist-mini")}


def states(hass: HomeAssistant, made: Mapping[str, Made]) -> dict[str, dict[str, Any]]:
    """Return the state and the attributes of everything in the home."""
    found = {}
    for entity_id in made:
        state = hass.states.get(entity_id)
        assert state
        found[entity_id] = {**state.attributes, "": state.state}
    return found


def told(change: Change) -> dict[str, Any]:
    """Return what a change says, the state under the empty name."""
    return {**change.attributes, **({"": change.state} if change.state else {})}


def differences(
    before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]], task: Task
) -> list[str]:
    """Return what is not as the task expects it: left undone, or done besides."""
    wrong = []
    for entity_id, now in after.items():
        expected = told(task.expected.get(entity_id, Change()))
        ignored = task.ignore.get(entity_id, frozenset())
        for name in sorted({*before[entity_id], *now, *expected} - ignored - DERIVED):
            want = expected.get(name, before[entity_id].get(name))
            if now.get(name) != want:
                wrong.append(f"{entity_id} {name or 'state'}: {now.get(name)} instead of {want}")
    return wrong


def test_the_set_is_all_here(described: dict[str, Home]) -> None:
    assert tuple(described) == HOMES
    tasks = {
        f"{home.name}: {task.name}": right_calls(home, task)
        for home in described.values()
        for task in home.tasks
    }
    assert len(tasks) == 28
    assert {name for name, made in tasks.items() if made is None} == UNREACHABLE


@pytest.mark.parametrize("constrained", [False, True], ids=["free", "constrained"])
@pytest.mark.parametrize("name", HOMES)
async def test_every_change_that_a_tool_can_make_happens_and_no_other(
    hass: HomeAssistant, described: dict[str, Home], name: str, *, constrained: bool
) -> None:
    home = described[name]
    playing: list[Task] = []

    def play(received: Received) -> Play:
        if received.body["messages"][-1]["content"].startswith(("{", "Result")):
            return _words("Done.", constrained=constrained)
        return _calls(right_calls(home, playing[0]) or [], constrained=constrained)

    async with ScriptedUpstream(play, key=KEY) as server:
        agent = agent_subentry(constrain_tools=constrained)
        voice = await set_up(hass, rig_subentry("rig", server.url), agent, lamp=False)
        made = await build(hass, home.areas, home.devices, home.entities)
        await rig_says(hass, "rig", server.url)
        failed: list[str] = []
        for task in home.tasks:
            playing[:] = [task]
            for sentence in task.sentences:
                _put_all(home, made, task)
                await hass.async_block_till_done()
                before = states(hass, made)
                said = await say(voice, sentence)
                assert (said.speech, said.error) == ("Done.", False), task.name
                wrong = differences(before, states(hass, made), task)
                failed.extend(f"{task.name} ({sentence}): {one}" for one in wrong)
        assert failed == []


def _put_all(home: Home, made: Mapping[str, Made], task: Task) -> None:
    """Bring the home into the state that the task begins with."""
    for entity_id, one in made.items():
        described = home.entity(entity_id)
        begins = task.before.get(entity_id)
        one.put(
            (begins and begins.state) or described.get("state"),
            begins.attributes if begins else {},
        )
        one.async_write_ha_state()


def _words(text: str, *, constrained: bool) -> Play:
    return says(json.dumps({"say": text})) if constrained else says(text)


def _calls(made: list[tuple[str, dict[str, Any]]], *, constrained: bool) -> Play:
    if not constrained:
        return calls(*made)
    listed = [{"tool": tool, "arguments": arguments} for tool, arguments in made]
    return says(json.dumps({"calls": listed}))
