"""The house's broker: whether it lets us in, and what it lets us do."""

from .. import mqtt, mqtt_probe
from ..config import Config, Source
from ..errors import BridgeError
from ..finding import Finding


async def lets_in(settings: Config, _: Source) -> list[Finding]:
    """MQTT 5 and the login; the rest is asked of a broker that takes us."""
    try:
        why = await mqtt.refusal(settings.mqtt)
    except BridgeError as err:
        why = str(err)
    where = f"{settings.mqtt.host}:{settings.mqtt.the_port}"
    if why:
        return [Finding("broker", "failed", why)]
    findings = [Finding("broker", "ok", f"{where} speaks MQTT 5 and lets us in")]
    if settings.mqtt.is_exposed:
        text = "everybody in the network can listen and speak; docs/security.md has TLS"
        findings.append(Finding("broker", "warning", text))
    return findings + await _rights(settings)


async def _rights(settings: Config) -> list[Finding]:
    """What this rig's account may do at the broker, and what it should not be able to."""
    try:
        allowed = await mqtt_probe.ask(settings.mqtt, settings.rig.id)
    except (OSError, BridgeError) as err:
        return [Finding("broker's rights", "failed", f"could not be asked: {err}")]
    findings = []
    for may, needed in ((allowed.hear_requests, "hear requests"), (allowed.speak, "publish")):
        if may is False:
            text = f"this rig's account may not {needed}; correct the broker's access list"
            findings.append(Finding("broker's rights", "failed", text))
    for may, harm in (
        (allowed.speak_for_others, "pretend to be any other rig"),
        (allowed.command_others, "command every rig of the house"),
    ):
        if may:
            text = f"this rig's account may {harm}; docs/security.md has an access list"
            findings.append(Finding("broker's rights", "warning", text))
    return findings or [Finding("broker's rights", "ok", "its own words, and nothing else")]
