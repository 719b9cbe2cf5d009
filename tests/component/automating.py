"""Automations of our blueprints, as a person makes them: from the files, by Home Assistant."""

import shutil
from pathlib import Path
from typing import Any, Final

from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

FOLDER: Final = Path(__file__).parents[2] / "blueprints/automation/hashcenter"


def give_blueprints(hass: HomeAssistant, folder: Path) -> None:
    """Give Home Assistant a configuration folder with our blueprints in it."""
    shutil.copytree(FOLDER, folder / "blueprints/automation/hashcenter")
    hass.config.config_dir = str(folder)


async def automated(hass: HomeAssistant, folder: Path, name: str, **inputs: Any) -> None:
    """Make an automation of a blueprint; its configuration is in this folder."""
    give_blueprints(hass, folder)
    used = {"use_blueprint": {"path": f"hashcenter/{name}.yaml", "input": inputs}}
    assert await async_setup_component(hass, "automation", {"automation": used})
    await hass.async_block_till_done()
    [state] = hass.states.async_all("automation")
    assert state.state == "on", "the blueprint makes a valid automation"
