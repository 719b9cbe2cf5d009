"""System health: how many rigs there are and can be heard, and over which MQTT."""

from typing import Any

from homeassistant.components.system_health import SystemHealthRegistration
from homeassistant.core import HomeAssistant, callback

from .const import BRIDGE_VERSION, DOMAIN
from .coordinator import speaks_mqtt5
from .wire.version import PROTOCOL


@callback
def async_register(hass: HomeAssistant, register: SystemHealthRegistration) -> None:
    """Register what is shown."""
    register.async_register_info(async_info)


async def async_info(hass: HomeAssistant) -> dict[str, Any]:
    """Return what is shown."""
    entries = hass.config_entries.async_loaded_entries(DOMAIN)
    rigs = [rig for entry in entries for rig in entry.runtime_data.rigs.values()]
    return {
        "rigs": len(rigs),
        "rigs_online": sum(rig.data.online for rig in rigs),
        "unreadable_messages": sum(rig.invalid_total for rig in rigs),
        "mqtt5": speaks_mqtt5(hass),
        "protocol": PROTOCOL,
        "made_for_bridge": BRIDGE_VERSION,
    }
