"""What a person clicks once in a new Home Assistant, through the same commands as the frontend.

The broker, then the rig that announces itself there, then the rig as conversation agent and as
the preferred voice assistant, then the energy page and the dashboard.
"""

from typing import Any, Final

from tools.demo.client import HomeAssistant
from tools.demo.entities import Entities
from tools.demo.ports import HOST
from tools.demo.processes import DemoError, until

DASHBOARD: Final = "hashcenter"

_FLOWS: Final = "/api/config/config_entries/flow"
_SUBENTRY_FLOWS: Final = "/api/config/config_entries/subentries/flow"
_DOMAIN: Final = "hashcenter"
_DISCOVERED_WITHIN_S: Final = 60.0
_PROMPT: Final = "You are the voice of a house that heats with computers. Answer briefly."


async def add_broker(home: HomeAssistant, port: int) -> None:
    """Add Home Assistant's own MQTT integration, over MQTT 5."""
    flow = await home.post(_FLOWS, {"handler": "mqtt"})
    tls = {"set_client_cert": False, "set_ca_cert": "off"}
    form = {
        "broker": HOST,
        "port": port,
        "protocol": "5",
        "other_settings": {**tls, "transport": "tcp"},
    }
    await _submit(home, f"{_FLOWS}/{flow['flow_id']}", form)


async def wait_for_rig(home: HomeAssistant) -> str:
    """Wait for the tile of a discovered rig; return its flow's id."""

    async def discovered() -> str:
        flows = await home.command("config_entries/flow/progress")
        return next((str(flow["flow_id"]) for flow in flows if flow["handler"] == _DOMAIN), "")

    return await until("the rig is discovered", discovered, _DISCOVERED_WITHIN_S)


async def accept_rig(home: HomeAssistant, key: str) -> None:
    """Confirm the discovered rig with its key, and see its controls appear."""
    await _submit(home, f"{_FLOWS}/{await wait_for_rig(home)}", {"key": key})


async def add_agent(home: HomeAssistant) -> str:
    """Make the rig the preferred voice assistant; return the agent's entity id.

    The demo's model is far too small to choose tools, so its agent controls nothing.
    """
    entry_id = await house_entry(home)
    answers = {"prompt": _PROMPT, "llm_hass_api": []}
    subentries = await home.command("config_entries/subentries/list", entry_id=entry_id)
    agent = next((one for one in subentries if one["subentry_type"] == "conversation"), None)
    start: dict[str, Any] = {"handler": [entry_id, "conversation"]}
    if agent is not None:
        start["subentry_id"] = agent["subentry_id"]
    flow = await home.post(_SUBENTRY_FLOWS, start)
    await _submit(home, f"{_SUBENTRY_FLOWS}/{flow['flow_id']}", answers)

    async def entity() -> str | None:
        return (await Entities.read(home)).conversation

    agent_id = await until("the conversation agent appears", entity, 30.0)
    assert agent_id is not None
    await _prefer(home, agent_id)
    return agent_id


async def _prefer(home: HomeAssistant, agent_id: str) -> None:
    """Make an Assist pipeline (text only) with this agent the preferred one."""
    missing = dict.fromkeys(
        (
            *("stt_engine", "stt_language", "tts_engine", "tts_language", "tts_voice"),
            *("wake_word_entity", "wake_word_id"),
        )
    )
    pipeline = await home.command(
        "assist_pipeline/pipeline/create",
        name="Hashcenter",
        language="en",
        conversation_engine=agent_id,
        conversation_language="en",
        prefer_local_intents=False,
        **missing,
    )
    await home.command("assist_pipeline/pipeline/set_preferred", pipeline_id=pipeline["id"])


async def add_dashboard(home: HomeAssistant) -> None:
    """Add the integration's own dashboard, and open Home Assistant with it."""
    await home.command(
        "lovelace/dashboards/create",
        url_path=DASHBOARD,
        title="Hashcenter",
        icon="mdi:home-lightning-bolt",
        mode="storage",
        show_in_sidebar=True,
        require_admin=False,
        allow_single_word=True,
    )
    config = {"strategy": {"type": "custom:hashcenter", "hours": 1}}
    await home.command("lovelace/config/save", url_path=DASHBOARD, config=config)
    await home.command("frontend/set_system_data", key="core", value={"default_panel": DASHBOARD})


async def add_energy(home: HomeAssistant) -> None:
    """Put the house's energy on the energy page, with its watts."""
    entities = await Entities.read(home)
    consumption = {
        "stat_consumption": entities.house("energy_kwh"),
        "stat_rate": entities.house("power_w"),
        "name": "Hashcenter",
    }
    await home.command("energy/save_prefs", device_consumption=[consumption])


async def wait_for_controls(home: HomeAssistant) -> None:
    """Wait until the rig's heater can be asked for watts."""

    async def there() -> bool:
        try:
            request = (await Entities.read(home)).heater("heat_request")
        except DemoError:
            return False
        state = (await home.states()).get(request)
        return state is not None and state["state"] != "unavailable"

    await until("the heat request is there", there, _DISCOVERED_WITHIN_S)


async def house_entry(home: HomeAssistant) -> str:
    """Return the id of the integration's config entry."""
    entries = await home.command("config_entries/get", domain=_DOMAIN)
    if not entries:
        raise DemoError("Home Assistant has no Hashcenter entry")
    return str(entries[0]["entry_id"])


async def _submit(home: HomeAssistant, path: str, form: dict[str, Any]) -> None:
    """Send the form that a flow ends with. Raises DemoError with what the flow says instead."""
    step = await home.post(path, form)
    ended = step["type"] == "create_entry" or step.get("reason") in (
        "rig_added",
        "reconfigure_successful",
    )
    if not ended:
        raise DemoError(f"Home Assistant does not accept the form of {step.get('handler')}: {step}")
