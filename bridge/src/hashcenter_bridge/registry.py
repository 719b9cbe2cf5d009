"""Finds plugins by name through versioned entry points; built-ins use the same door as anybody's.

Only what the owner's file names is loaded.
"""

from importlib.metadata import entry_points
from typing import Any, Literal

from .errors import ConfigError, PluginUnavailable

Family = Literal["devices", "asics", "runners", "miners"]


def names(family: Family) -> list[str]:
    """Return the names of all installed plugins of a family."""
    return sorted(point.name for point in entry_points(group=f"hashcenter.{family}.v1"))


def load(family: Family, name: str) -> type[Any]:
    """Return the plugin class `name` of a family.

    Raises ConfigError when no such plugin is installed, PluginUnavailable when it cannot be
    imported.
    """
    for point in entry_points(group=f"hashcenter.{family}.v1", name=name):
        try:
            return point.load()  # type: ignore[no-any-return]
        except ImportError as err:
            raise PluginUnavailable(
                f"the plugin {name!r} needs the library {err.name or err}, which is not installed"
            ) from None
        except AttributeError as err:
            raise PluginUnavailable(f"the plugin {name!r} is broken: {err}") from None
    known = ", ".join(names(family)) or "none"
    raise ConfigError(f"there is no plugin {name!r} among the {family} (installed: {known})")
