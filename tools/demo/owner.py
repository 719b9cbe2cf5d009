"""What the house's owner sets up by forms: a breaker, what watts cost, a room to heat.

The same forms as in Settings -> Devices & services, over Home Assistant's own API.
"""

from functools import partial
from typing import Any, Final

from tools.demo.bridge import RIG
from tools.demo.client import HomeAssistant
from tools.demo.entities import Entities
from tools.demo.newcomer import house_entry, wait_for_controls
from tools.demo.processes import DemoError, until

ROOM_NAME: Final = "Living room"
CIRCUIT_NAME: Final = "Basement socket"
THERMOMETER: Final = "sensor.room_temperature"
OUTDOOR: Final = "sensor.outdoor_temperature"
#: A European socket; 80 % of it is 2,944 W.
VOLTS: Final = 230
AMPS: Final = 16
#: A kettle on the same socket.
OTHERS_W: Final = 1800

_MACHINE: Final = f"{RIG}/{RIG}"
_SUBENTRY_FLOWS: Final = "/api/config/config_entries/subentries/flow"
_OPTIONS: Final = "/api/config/config_entries/options/flow"
_APPEARS_WITHIN_S: Final = 30.0


async def set_prices(home: HomeAssistant) -> None:
    """Say what a kWh costs, what hashing earns, what a heat pump would do, how cold it is."""
    money = {
        "price_per_kwh": 0.30,
        "tariff": {},
        "supply": {},
        "work": {
            "gpu_hash_value_per_kwh": 0.04,
            "hash_value_per_th_day": 0.045,
            "inference_value_per_mtoken": 0.5,
        },
        "alternative": {"alternative_cop": 1.0},
    }
    await _submit_options(home, "money", money)
    await _submit_options(home, "outdoor", {"outdoor": OUTDOOR})


async def add_circuits(home: HomeAssistant) -> None:
    """Add the breakers: the rig's socket with a kettle beside it, and the ASIC's own."""
    asic = await until("the ASIC is there", partial(_asic, home), _APPEARS_WITHIN_S)
    for name, volts, amps, heater, others_w in (
        (CIRCUIT_NAME, VOLTS, AMPS, _MACHINE, OTHERS_W),
        ("Workshop breaker", VOLTS, 25, asic, 0),
    ):
        form = {
            "name": name,
            "volts": volts,
            "amps": amps,
            "heaters": [heater],
            "others_w": others_w,
            "metering": {},
            "supply": {},
        }
        await _add(home, "circuit", form)


async def add_room(home: HomeAssistant) -> str:
    """Add the living room, which GPUs and ASIC heat; return its thermostat."""
    form = {
        "name": ROOM_NAME,
        "thermometer": THERMOMETER,
        "heaters": [_MACHINE, (await Entities.read(home)).asic_heater],
        **{section: {} for section in ("temperatures", "around", "limits", "quiet", "more")},
    }
    await _add(home, "room", form)

    async def there() -> str | None:
        thermostat = (await Entities.read(home)).thermostat
        state = (await home.states()).get(thermostat or "")
        return thermostat if state and state["state"] != "unavailable" else None

    thermostat = await until("the thermostat is there", there, _APPEARS_WITHIN_S)
    assert thermostat is not None
    return thermostat


async def _asic(home: HomeAssistant) -> str:
    """Return how the ASIC is named among the heaters; nothing while it is not there."""
    try:
        return (await Entities.read(home)).asic_heater
    except DemoError:
        return ""


async def _add(home: HomeAssistant, kind: str, form: dict[str, Any]) -> None:
    await wait_for_controls(home)  # every form before made the house anew
    flow = await home.post(_SUBENTRY_FLOWS, {"handler": [await house_entry(home), kind]})
    step = await home.post(f"{_SUBENTRY_FLOWS}/{flow['flow_id']}", form)
    if step["type"] != "create_entry":
        raise DemoError(f"Home Assistant does not accept the {kind}'s form: {step}")


async def _submit_options(home: HomeAssistant, part: str, form: dict[str, Any]) -> None:
    flow = await home.post(_OPTIONS, {"handler": await house_entry(home)})
    path = f"{_OPTIONS}/{flow['flow_id']}"
    shown = await home.post(path, {"next_step_id": part})
    if part == "outdoor":
        form = {**_suggested(shown), **form}
    step = await home.post(path, form)
    if step["type"] != "create_entry":
        raise DemoError(f"Home Assistant does not accept the form {part!r}: {step}")


def _suggested(step: dict[str, Any]) -> dict[str, Any]:
    """Return a form as it stands before anybody wrote into it."""
    values: dict[str, Any] = {}
    for field in step["data_schema"]:
        if field.get("type") == "expandable":
            values[field["name"]] = _suggested({"data_schema": field["schema"]})
        elif "suggested_value" in (field.get("description") or {}):
            values[field["name"]] = field["description"]["suggested_value"]
    return values
