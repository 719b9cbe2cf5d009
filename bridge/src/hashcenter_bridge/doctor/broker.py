"""The house's broker: whether it lets us in, what it lets us do, and who else speaks there."""

from typing import Final

from .. import mqtt, mqtt_probe
from ..config import Config, Source
from ..errors import BridgeError
from ..finding import Finding
from ..mqtt_probe import WILL_DELAY_S, Overheard
from ..report import HEARTBEAT_S
from .running import Bridge, bridge

#: Every bridge that speaks as this rig is heard once meanwhile.
LISTEN_S = HEARTBEAT_S + 1.0
_AT_ONCE_S: Final = WILL_DELAY_S * 0.75


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
    return findings + await _rights(settings) + await _listened(settings)


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


async def _listened(settings: Config) -> list[Finding]:
    """What is heard under this rig's own name for some seconds."""
    try:
        here = await bridge(settings)
        heard = await mqtt_probe.overhear(settings.mqtt, settings.rig.id, LISTEN_S)
    except (OSError, BridgeError) as err:
        return [Finding("broker's echo", "warning", f"nothing could be heard: {err}")]
    return [*echo(settings.rig.id, here, heard), birth(here, heard)]


def echo(rig: str, here: Bridge | None, heard: Overheard) -> list[Finding]:
    """Whether the will waits, and whether another bridge speaks as this rig."""
    if heard.will_after_s is None and not heard.boots:
        text = (
            "the last word of a cut connection was not heard. Either this account may not hear its "
            "own topics (docs/mosquitto/hashcenter.acl allows it), or this broker does not say it "
            "and a rig that died is noticed by its silence, later"
        )
        return [Finding("broker's echo", "warning", text)]
    return [will(heard.will_after_s), alone(rig, here, heard.boots)]


def will(after_s: float | None) -> Finding:
    """Whether the broker speaks for a rig that died, and not for one that stumbled."""
    if after_s is None:
        text = "the broker does not say it: a rig that died is noticed by its silence, later"
        return Finding("broker's will", "warning", f"{text}; Mosquitto 2 says it")
    if after_s < _AT_ONCE_S:
        text = f"said after {after_s:.1f} s instead of {WILL_DELAY_S} s: the broker ignores delays"
        return Finding(
            "broker's will", "warning", f"{text}, so short interruptions show as offline"
        )
    return Finding("broker's will", "ok", f"waits: said {after_s:.1f} s after a cut connection")


def alone(rig: str, here: Bridge | None, boots: set[str]) -> Finding:
    """Whether only this machine speaks as this rig."""
    others = boots - ({here.boot_id} if here else set())
    if others:
        who = "another bridge too" if here else "a bridge on another machine"
        text = (
            f"{who} speaks as {rig!r}: they push each other off the broker. Give each its own "
            "[rig] id; a copied disk needs a new /etc/machine-id as well"
        )
        return Finding("this rig's name", "failed", text)
    text = f"only this bridge speaks as {rig!r}" if boots else f"nobody else speaks as {rig!r}"
    return Finding("this rig's name", "ok", text)


def birth(here: Bridge | None, heard: Overheard) -> Finding:
    """Whether this rig notices when Home Assistant starts."""
    name = "Home Assistant's birth"
    if heard.hears_birth is False:
        text = f"this account may not hear {mqtt.BIRTH_TOPIC}; correct the broker's access list"
        return Finding(name, "failed", text)
    if here and here.births:
        return Finding(name, "ok", f"heard {here.births} times since the bridge started")
    if heard.home_assistant:
        return Finding(name, "ok", f"heard: {heard.home_assistant!r}")
    if here and here.controller:
        text = f"not heard since the bridge started {here.up_s} s ago; a house controls it"
        return Finding(name, "ok", text)
    text = (
        "not heard yet: it is said when Home Assistant starts. Let it restart while the bridge "
        "runs and ask again; its MQTT integration must have birth messages on "
        f"(topic {mqtt.BIRTH_TOPIC})"
    )
    return Finding(name, "warning", text)
