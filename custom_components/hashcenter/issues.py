"""What a person has to do something about, raised as repairs and withdrawn by themselves.

A rig's repairs follow from its inventory and its subentry alone, so they are reviewed whenever one
of them changes. `repairs.py` fixes those that a key or a confirmation fixes.
"""

import re
from collections.abc import Collection, Mapping
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .answers.length import Fit
from .const import BRIDGE_VERSION, DOCS_URL, DOMAIN, RELEASES_URL
from .control.requests import HeaterKey
from .coordinator import RigCoordinator
from .redaction import covered

MQTT_3: Final = "mqtt_3"
PROTOCOL_MISMATCH: Final = "protocol_mismatch"
MISSING_KEY: Final = "missing_key"
ENDPOINT_CHANGED: Final = "endpoint_changed"
WRONG_KEY: Final = "wrong_key"
UNSIGNED: Final = "unsigned"
EXPOSED: Final = "exposed"
TOO_MANY_ENTITIES: Final = "too_many_entities"
UNATTENDED: Final = "unattended"
NO_EFFECT_OFTEN: Final = "no_effect_often"
POOL_CHANGED: Final = "pool_changed"

#: Those that the rig's key, or the person's yes to its address, settles.
FIXABLE: Final = frozenset({MISSING_KEY, ENDPOINT_CHANGED, WRONG_KEY, UNSIGNED})
_FROM_INVENTORY: Final = (PROTOCOL_MISMATCH, MISSING_KEY, ENDPOINT_CHANGED, EXPOSED, UNSIGNED)
#: Faults of one device that are a person's to repair, by the rig's code.
_OF_DEVICES: Final = {
    NO_EFFECT_OFTEN: ir.IssueSeverity.WARNING,
    POOL_CHANGED: ir.IssueSeverity.ERROR,
}
_LEARN_MORE: Final = {PROTOCOL_MISMATCH: RELEASES_URL, EXPOSED: f"{DOCS_URL}/security.md"}


@callback
def async_review_link(hass: HomeAssistant, *, mqtt5: bool) -> None:
    """Ask for MQTT 5 if the link to the broker is older."""
    if mqtt5:
        ir.async_delete_issue(hass, DOMAIN, MQTT_3)
        return
    ir.async_create_issue(
        hass,
        DOMAIN,
        MQTT_3,
        is_fixable=False,
        severity=ir.IssueSeverity.WARNING,
        translation_key=MQTT_3,
    )


@callback
def async_review_rig(hass: HomeAssistant, entry: ConfigEntry, rig: RigCoordinator) -> None:
    """Raise and withdraw what follows from the rig's inventory."""
    pattern = rf"(?:{'|'.join(_FROM_INVENTORY)})_{re.escape(rig.rig_id)}$"
    with ir.async_refresh_issues(hass, DOMAIN, issue_id_pattern=pattern):
        if not rig.data.protocol_ok:
            _raise(hass, entry, rig, PROTOCOL_MISMATCH, ir.IssueSeverity.ERROR)
        if rig.data.inventory and rig.data.inventory.exposed:
            _raise(hass, entry, rig, EXPOSED, ir.IssueSeverity.WARNING)
        if (kind := _access_issue(rig)) is not None:
            _raise(hass, entry, rig, kind, ir.IssueSeverity.WARNING)


@callback
def async_raise_wrong_key(hass: HomeAssistant, entry: ConfigEntry, rig: RigCoordinator) -> None:
    """Note that the rig refused its key, until the subentry changes."""
    _raise(hass, entry, rig, WRONG_KEY, ir.IssueSeverity.WARNING)


@callback
def async_raise_too_many(
    hass: HomeAssistant, entry: ConfigEntry, rig: RigCoordinator, found: Fit
) -> None:
    """Say how many of the exposed entities the rig's model can read; until it answers again."""
    numbers = {"exposed": str(found.exposed), "fits": str(found.fits)}
    _raise(hass, entry, rig, TOO_MANY_ENTITIES, ir.IssueSeverity.WARNING, **numbers)


@callback
def async_answered(hass: HomeAssistant, rig: RigCoordinator) -> None:
    """Withdraw what an answer disproves."""
    ir.async_delete_issue(hass, DOMAIN, f"{TOO_MANY_ENTITIES}_{rig.rig_id}")


@callback
def async_review_faults(
    hass: HomeAssistant, entry: ConfigEntry, rig: RigCoordinator, before: frozenset[str]
) -> frozenset[str]:
    """Raise a repair for each fault of a device that only a person can do something about.

    Return the repairs' kinds; `before` is what was returned last. A rig that is away says nothing.
    """
    if (live := rig.data.live) is None:
        return before
    faults = {
        f"{one.code}_{one.uid}": one for one in live.faults if one.code in _OF_DEVICES and one.uid
    }
    for kind in before - set(faults):
        ir.async_delete_issue(hass, DOMAIN, f"{kind}_{rig.rig_id}")
    for kind in set(faults) - before:
        _raise(
            hass,
            entry,
            rig,
            kind,
            _OF_DEVICES[faults[kind].code],
            translation_key=faults[kind].code,
            reason=covered(faults[kind].text.removesuffix(".")),
        )
    return frozenset(faults)


@callback
def async_review_circuits(
    hass: HomeAssistant, entry: ConfigEntry, unfit: Mapping[HeaterKey, tuple[str, str]]
) -> None:
    """Raise a repair for each heater that its circuit could not carry after a power cut.

    `unfit` names heater and circuit as people do.
    """
    with ir.async_refresh_issues(hass, DOMAIN, issue_id_pattern=rf"{UNATTENDED}_"):
        for key, (heater, circuit) in unfit.items():
            ir.async_create_issue(
                hass,
                DOMAIN,
                f"{UNATTENDED}_{key.heater}_{key.rig}",
                config_entry_id=entry.entry_id,
                is_fixable=False,
                severity=ir.IssueSeverity.WARNING,
                translation_key=UNATTENDED,
                translation_placeholders={"heater": heater, "circuit": circuit},
            )


@callback
def async_withdraw(hass: HomeAssistant, rigs: Collection[str] = ()) -> None:
    """Withdraw repairs of rigs that are not among `rigs`, and every refused key."""
    theirs = tuple(f"_{rig}" for rig in rigs)
    for domain, issue_id in list(ir.async_get(hass).issues):
        if domain == DOMAIN and (issue_id.startswith(WRONG_KEY) or not issue_id.endswith(theirs)):
            ir.async_delete_issue(hass, DOMAIN, issue_id)


def _access_issue(rig: RigCoordinator) -> str | None:
    inventory = rig.data.inventory
    if inventory is not None and inventory.signed_requests and not rig.key:
        return UNSIGNED
    if inventory is None or inventory.endpoint is None or rig.data.endpoint_url is None:
        return None
    if inventory.endpoint.needs_key and not rig.key:
        return MISSING_KEY
    return ENDPOINT_CHANGED if rig.host != rig.data.endpoint_url else None


def _raise(
    hass: HomeAssistant,
    entry: ConfigEntry,
    rig: RigCoordinator,
    kind: str,
    severity: ir.IssueSeverity,
    translation_key: str | None = None,
    **more: str,
) -> None:
    ir.async_create_issue(
        hass,
        DOMAIN,
        f"{kind}_{rig.rig_id}",
        data={"subentry_id": rig.subentry.subentry_id, "host": rig.data.endpoint_url},
        config_entry_id=entry.entry_id,
        is_fixable=kind in FIXABLE,
        learn_more_url=_LEARN_MORE.get(kind),
        severity=severity,
        translation_key=translation_key or kind,
        translation_placeholders={
            "rig": rig.name,
            "host": rig.data.endpoint_url or "",
            "bridge": rig.data.version or "",
            "wanted": BRIDGE_VERSION,
            **more,
        },
    )
