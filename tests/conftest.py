"""Lets the integration's pure parts be tested without Home Assistant, on every Python a rig has.

`import custom_components.hashcenter.control` would run the integration's own `__init__`, which
imports Home Assistant. A parent package with nothing but a path takes its place; tests/component,
which has Home Assistant, does not load this file.
"""

import sys
from pathlib import Path
from types import ModuleType

_NAME = "custom_components.hashcenter"

_package = ModuleType(_NAME)
_package.__path__ = [str(Path(__file__).parents[1] / "custom_components/hashcenter")]
sys.modules[_NAME] = _package
