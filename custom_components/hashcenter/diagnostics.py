"""Diagnostics: what is known about the house or one device, without keys and addresses."""

from dataclasses import asdict
from typing import Any, Final

from homeassistant.components.diagnostics import async_redact_data
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr

from .const import CONF_HOST, CONF_KEY
from .control.state import stored as remembered
from .control.wanted import HouseWanted
from .coordinator import RigCoordinator
from .heat.plan import HousePlan, heater_id
from .house import HashcenterConfigEntry
from .redaction import covered
from .rigs.registry import rig_of, uid_of

TO_REDACT: Final = {CONF_KEY, CONF_HOST, "url", "mac", "controller"}


async def async_get_config_entry_diagnostics(
    hass: HomeAssistant, entry: HashcenterConfigEntry
) -> dict[str, Any]:
    """Return what is known about the house."""
    house = entry.runtime_data
    state = house.heating.state
    return _redacted(
        {
            "rigs": {rig_id: _rig(rig) for rig_id, rig in house.rigs.items()},
            "summary": asdict(house.data),
            "plan": asdict(HousePlan.read(entry)),
            "problems": [
                {"text": text, "since": since.isoformat()}
                for text, since in house.problems.values()
            ],
            "heating": {
                "favor": house.heating.favor,
                "tilt": state.tilt,
                "stopped": state.stopped,
                "unreleased": sorted(state.unreleased),
                "hold_h": house.heating.hold_h,
                "hands_off": ["/".join(key) for key in sorted(state.hands_off)],
                "requests": {
                    "/".join(key): {"power_w": held.power_w, "until": held.until}
                    for key, held in state.requests.items()
                },
                "hash_for_money": ["/".join(key) for key in sorted(state.hash_for_money)],
                "rooms": {room: house.heating.wish(room) for room in house.plan.rooms},
                "learned": remembered(house.heating.deciding.state),
            },
            "decision": _decision(house.heating.wanted),
        }
    )


def _redacted(said: dict[str, Any]) -> dict[str, Any]:
    """Return this without keys and addresses, and without what looks like a secret in a text."""
    found: dict[str, Any] = covered(async_redact_data(said, TO_REDACT))
    return found


def _decision(wanted: HouseWanted | None) -> dict[str, Any] | None:
    """Return what was decided last, and by which limits."""
    if wanted is None:
        return None
    return {
        "heaters": {heater_id(key): want for key, want in wanted.heaters.items()},
        "rooms": dict(wanted.rooms),
        "circuits": dict(wanted.circuits),
        "prices": {heater_id(key): price for key, price in wanted.money.heaters.items()},
        "house_price": wanted.money.house,
    }


async def async_get_device_diagnostics(
    hass: HomeAssistant, entry: HashcenterConfigEntry, device: dr.AnyDeviceEntry
) -> dict[str, Any]:
    """Return what is known about a rig or one of its devices."""
    house = entry.runtime_data
    if (rig := house.rigs.get(rig_of(device) or "")) is not None:
        return _redacted(_rig(rig))
    uid = uid_of(device)
    owner = house.rigs.get(house.devices.owner(uid) or "") if uid else None
    if uid is None or owner is None:
        return await async_get_config_entry_diagnostics(hass, entry)
    described, state = owner.data.described(uid), owner.data.device(uid)
    return _redacted(
        {
            "rig": owner.rig_id,
            "described": described.model_dump(mode="json") if described else None,
            "state": state.model_dump(mode="json") if state else None,
        }
    )


def _rig(rig: RigCoordinator) -> dict[str, Any]:
    data = rig.data
    return {
        "subentry": dict(rig.subentry.data),
        "online": data.online,
        "inventory_current": data.inventory_current,
        "protocol_ok": data.protocol_ok,
        "invalid_total": rig.invalid_total,
        "announce": data.announce.model_dump(mode="json") if data.announce else None,
        "inventory": data.inventory.model_dump(mode="json") if data.inventory else None,
        "state": data.state.model_dump(mode="json") if data.state else None,
        "devices": {uid: state.model_dump(mode="json") for uid, state in data.devices.items()},
    }
