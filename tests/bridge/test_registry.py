"""Plugins are found by name, and only those that the owner's file names are loaded."""

import sys
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pytest

from hashcenter_bridge import registry
from hashcenter_bridge.errors import ConfigError, PluginUnavailable
from hashcenter_bridge.plugin import PluginConfig, ProgramConfig

FAMILIES: tuple[registry.Family, ...] = ("devices", "runners", "miners")
BUILT_IN = [
    (family, name)
    for family in FAMILIES
    for name in registry.names(family)
    if name != "llama_cpp_python"
]


def test_the_built_in_plugins_are_there() -> None:
    assert {"nvml", "cpu"} <= set(registry.names("devices"))
    assert {"xllamacpp", "llama_server"} <= set(registry.names("runners"))
    assert "xmrig" in registry.names("miners")


@pytest.mark.parametrize(("family", "name"), BUILT_IN)
def test_a_built_in_plugin_has_a_config_of_its_own(family: registry.Family, name: str) -> None:
    plugin = registry.load(family, name)
    assert issubclass(plugin.Config, PluginConfig)
    assert plugin.Config.model_config.get("extra") == "forbid"
    assert issubclass(plugin.Config, ProgramConfig) is (family != "devices")


def test_an_unknown_plugin_is_named_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"no plugin 'abacus' among the miners .*xmrig"):
        registry.load("miners", "abacus")


def test_a_plugin_of_another_family_is_unknown() -> None:
    with pytest.raises(ConfigError, match="no plugin 'nvml' among the miners"):
        registry.load("miners", "nvml")


def offer(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Offer a plugin `odd` that is found at `value`."""

    def offered(*, group: str, **name: Any) -> list[EntryPoint]:
        known = entry_points(group=group, **name)
        return [*known, EntryPoint("odd", value, group)]

    monkeypatch.setattr(registry, "entry_points", offered)


def test_a_plugin_whose_library_is_missing_names_the_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    offer(monkeypatch, "a_library_that_is_not_there.plugin:Plugin")
    with pytest.raises(PluginUnavailable, match="'odd' needs the library a_library_that_is"):
        registry.load("devices", "odd")


def test_a_plugin_that_is_broken_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, "json:Plugin")
    with pytest.raises(PluginUnavailable, match="'odd' is broken"):
        registry.load("devices", "odd")


def test_a_plugin_of_somebody_else_uses_the_same_door(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, "decimal:Decimal")
    assert registry.load("runners", "odd").__name__ == "Decimal"


def test_nothing_is_loaded_that_was_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, "this:Plugin")
    sys.modules.pop("this", None)
    assert "odd" in registry.names("devices")
    registry.load("devices", "cpu")
    assert "this" not in sys.modules
