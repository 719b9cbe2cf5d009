"""A voice test set and its right answers: homes, tasks in sentences, the changes they should make.

Reads the format of home-assistant-datasets' `assist` sets (`_fixtures.yaml` and task files in a
folder per home) and says which calls of Home Assistant's Assist tools make the changes of a task.
A model that makes them is right; that proves the way from a call to a change, and no model.
Needs PyYAML only, so that any integration's tests can use it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Final

# By name, because its types are in a package of their own.
yaml: Any = import_module("yaml")

Call = tuple[str, dict[str, Any]]

_ON_OFF: Final = {
    "light": ("on", "off"),
    "fan": ("on", "off"),
    "switch": ("on", "off"),
    "cover": ("open", "closed"),
    "valve": ("open", "closed"),
    "lock": ("locked", "unlocked"),
    "media_player": ("on", "off"),
}
#: Tools that need no more than to be called, by domain and the state they lead to.
_TO_STATE: Final = {
    ("vacuum", "cleaning"): "vacuum__HassVacuumStart",
    ("vacuum", "returning"): "vacuum__HassVacuumReturnToBase",
    ("media_player", "paused"): "media_player__HassMediaPause",
    ("media_player", "playing"): "media_player__HassMediaUnpause",
}


@dataclass(frozen=True)
class Change:
    """What an entity is, or shall be: its state and some attributes."""

    state: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """Something to do, in several wordings; `ignore` names attributes that may change as well."""

    name: str
    sentences: tuple[str, ...]
    before: Mapping[str, Change]
    expected: Mapping[str, Change]
    ignore: Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class Home:
    """A home: its areas, devices and entities as the set describes them, and its tasks."""

    name: str
    areas: tuple[Mapping[str, Any], ...]
    devices: tuple[Mapping[str, Any], ...]
    entities: tuple[Mapping[str, Any], ...]
    tasks: tuple[Task, ...]

    def entity(self, entity_id: str) -> Mapping[str, Any]:
        """Return the entity of this id."""
        return next(one for one in self.entities if one["id"] == entity_id)


def homes(folder: Path) -> Iterator[Home]:
    """Return the homes in a folder, by name."""
    for path in sorted(folder.glob("*/_fixtures.yaml")):
        described = _read(path)
        files = sorted(one for one in path.parent.glob("*.yaml") if one.name != path.name)
        yield Home(
            name=path.parent.name,
            areas=tuple(described["areas"]),
            devices=tuple(described["devices"]),
            entities=tuple(described["entities"]),
            tasks=tuple(task for file in files for task in _tasks(file)),
        )


def right_calls(home: Home, task: Task) -> list[Call] | None:
    """Return the calls that make the changes of a task, None if no Assist tool can."""
    made: list[Call] = []
    for entity_id, wanted in task.expected.items():
        call = _call(home.entity(entity_id), task.before.get(entity_id, Change()), wanted)
        if call is None:
            return None
        made.append(call)
    return made


def _call(entity: Mapping[str, Any], before: Change, wanted: Change) -> Call | None:
    domain = entity["id"].partition(".")[0]
    named = {"name": entity["name"]}
    own = {**named, "domain": [domain]}
    changed = {
        name: value
        for name, value in wanted.attributes.items()
        if value is not None and before.attributes.get(name) != value
    }
    if domain == "todo":
        return "todo__HassListAddItem", {"item": "homework", **named}
    if domain == "light" and changed.get("brightness"):
        percent = round(changed["brightness"] / 255 * 100)
        return "light__HassLightSet", {**named, "brightness": percent}
    if domain in ("cover", "valve") and changed.get("current_position") not in (None, 0, 100):
        return "intent__HassSetPosition", {**own, "position": changed["current_position"]}
    if (volume := changed.get("volume_level")) is not None:
        return "media_player__HassSetVolume", {**named, "volume_level": round(volume * 100)}
    if (track := changed.get("media_track")) is not None:
        forward = track > before.attributes.get("media_track", 0)
        return f"media_player__HassMedia{'Next' if forward else 'Previous'}", named
    if (tool := _TO_STATE.get((domain, wanted.state or ""))) is not None:
        return tool, named
    on, off = _ON_OFF.get(domain, ("", ""))
    if wanted.state and wanted.state in (on, off):
        return f"intent__HassTurn{'On' if wanted.state == on else 'Off'}", own
    return None


def _tasks(path: Path) -> Iterator[Task]:
    for number, test in enumerate(_read(path)["tests"], 1):
        yield Task(
            name=f"{path.stem} {number}",
            sentences=tuple(test["sentences"]),
            before=_changes(test.get("setup")),
            expected=_changes(test["expect_changes"]),
            ignore={
                entity_id: frozenset(names)
                for entity_id, names in (test.get("ignore_changes") or {}).items()
            },
        )


def _changes(described: Mapping[str, Any] | None) -> dict[str, Change]:
    return {
        entity_id: Change(one.get("state"), one.get("attributes") or {})
        for entity_id, one in (described or {}).items()
    }


def _read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))
