"""The real Home Assistant with the integration from this clone, bound to 127.0.0.1.

Its folder is made as a careful owner would leave it: integrations that ask the internet for
something are switched off before the first start, and it may use no network interface but `lo`.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any, Final

from tools.demo.ports import HOST, until_open
from tools.demo.processes import Processes, Program
from tools.paths import ROOT

_START_WITHIN_S: Final = 180.0
_INTEGRATION: Final = ROOT / "custom_components/hashcenter"
_LONG_AGO: Final = "2026-11-01T00:00:00+00:00"

_CONFIGURATION: Final = """\
homeassistant:
  name: Hashcenter demo
  unit_system: metric
  currency: EUR
  country: DE
  time_zone: {time_zone}
  # In a container it would else be /media.
  media_dirs:
    local: {media}
api:
assist_pipeline:
config:
conversation:
energy:
frontend:
history:
logbook:
mqtt:
recorder:
  commit_interval: 1
logger:
  default: warning
  logs:
    custom_components.hashcenter: info
    # They look for ffmpeg and libturbojpeg, which cameras would want.
    haffmpeg: critical
    homeassistant.components.camera.img_util: critical
"""


_SERVER: Final[dict[str, Any]] = {
    "cors_allowed_origins": [],
    "created_at": _LONG_AGO,
    "error": None,
    "error_message": None,
    "ip_ban_enabled": True,
    "login_attempts_threshold": -1,
    "ssl_profile": "intermediate_v6",
    "use_x_frame_options": True,
}


def make_folder(folder: Path, port: int) -> None:
    """Write the configuration and copy the integration; what is there already stays."""
    storage = folder / ".storage"
    storage.mkdir(parents=True, exist_ok=True)
    media = folder / "media"
    media.mkdir(exist_ok=True)
    (folder / "configuration.yaml").write_text(
        _CONFIGURATION.format(time_zone=_time_zone(), media=media)
    )
    copy = folder / "custom_components/hashcenter"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(_INTEGRATION, copy, ignore=shutil.ignore_patterns("__pycache__"))
    # A folder that was used before belongs to its owner.
    if not (storage / "onboarding").exists():
        for key, (version, minor, data) in _OWNERS_CHOICES.items():
            _store(storage, key, version, minor, data)
    # Home Assistant keeps this here; in configuration.yaml it would be a trial of five minutes.
    server = {**_SERVER, "server_host": [HOST], "server_port": port}
    _store(storage, "http", 3, 1, {"stable": server, "pending": None, "yaml_migration_done": True})


def _store(storage: Path, key: str, version: int, minor: int, data: dict[str, Any]) -> None:
    content = {"version": version, "minor_version": minor, "key": key, "data": data}
    (storage / key).write_text(json.dumps(content))


async def start_home_assistant(processes: Processes, folder: Path) -> Program:
    """Start Home Assistant; returns at once, so that other parts start meanwhile."""
    options = ["--config", str(folder), "--skip-pip"]
    command = [sys.executable, "-m", "tools.demo.hass", *options]
    return await processes.start("home-assistant", command)


async def until_started(program: Program, port: int) -> None:
    """Wait until Home Assistant answers."""
    await until_open(port, program, _START_WITHIN_S)


def _switched_off(domain: str, title: str) -> dict[str, Any]:
    """Return the entry of an integration that its owner disabled."""
    return {
        "created_at": _LONG_AGO,
        "data": {},
        "disabled_by": "user",
        "discovery_keys": {},
        "domain": domain,
        "entry_id": f"demo-{domain}",
        "minor_version": 1,
        "modified_at": _LONG_AGO,
        "options": {},
        "pref_disable_new_entities": False,
        "pref_disable_polling": False,
        "source": "system",
        "subentries": [],
        "title": title,
        "unique_id": None,
        "version": 1,
    }


#: Storage key -> version, minor version, data. The onboarding's other steps would set up a weather
#: service and ask for statistics; only the account is made there, through the API.
_OWNERS_CHOICES: Final[dict[str, tuple[int, int, dict[str, Any]]]] = {
    "core.config_entries": (
        1,
        5,
        {"entries": [_switched_off("marketplace", ""), _switched_off("analytics", "Analytics")]},
    ),
    "core.network": (1, 1, {"configured_adapters": ["lo"]}),
    "onboarding": (4, 1, {"done": ["core_config", "analytics", "integration"]}),
}


def _time_zone() -> str:
    """Return this machine's time zone, so that the clock on the dashboard is right."""
    try:
        link = Path("/etc/localtime").resolve()
        return str(link.relative_to("/usr/share/zoneinfo"))
    except (OSError, ValueError):
        return "UTC"
