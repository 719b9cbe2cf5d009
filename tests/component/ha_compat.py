"""Lets test harness 0.13.375, made for Home Assistant 2026.10, load on 2026.11.

Home Assistant must be imported before anything that imports httpx, the harness's patches right
after it, and two names have moved. To be deleted when a harness for 2026.11 is published.
"""

import homeassistant  # noqa: F401, I001 - before everything else

from pytest_homeassistant_custom_component import (  # noqa: F401 - they patch on import
    patch_json,
    patch_recorder,
    patch_time,
)

from homeassistant.components import logger
from homeassistant.components.logger import const, helpers

for name in ("_clear_logger_overwrites", "SERVICE_SET_LEVEL"):
    if not hasattr(logger, name):
        home = helpers if hasattr(helpers, name) else const
        setattr(logger, name, getattr(home, name))
