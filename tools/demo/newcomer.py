"""What a person clicks once in a new Home Assistant, through the same commands as the frontend.

The broker, then the rig that announces itself there, then the rig as conversation agent and as
the preferred voice assistant, then the dashboard.
"""

from typing import Any, Final

from tools.demo.client import HomeAssistant
from tools.demo.ports import HOST
from tools.demo.processes import DemoError

_FLOWS: Final = "/api/config/config_entries/flow"
_SUBENTRY_FLOWS: Final = "/api/config/config_entries/subentries/flow"
_DOMAIN: Final = "hashcenter"


async def add_broker(home: HomeAssistant, port: int) -> None:
    """Add Home Assistant's own MQTT integration, over MQTT 5."""
    flow = await home.post(_FLOWS, {"handler": "mqtt"})
    form = {
        "broker": HOST,
        "port": port,
        "protocol": "5",
        "other_settings": {"set_client_cert": False, "set_ca_cert": "off", "transport": "tcp"},
    }
    await _finish(home, flow, form)


async def _finish(home: HomeAssistant, flow: dict[str, Any], form: dict[str, Any]) -> Any:
    """Send the form of a flow that then ends, and return its last step."""
    step = await home.post(f"{_FLOWS}/{flow['flow_id']}", form)
    if step["type"] not in ("create_entry", "abort") or step.get("errors"):
        raise DemoError(f"Home Assistant does not accept {form}: {step}")
    return step
