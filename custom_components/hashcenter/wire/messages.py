"""What travels on each topic, from a rig's announcement to the answer to a request.

Canonical source: bridge/src/hashcenter_bridge/wire. `boot_id` names one run of a bridge, `tick` is
its seconds since that run began: requests quote both, so that no clocks are ever compared.
"""

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from .codec import MAX_REQUEST_BYTES, WireModel, read
from .values import (
    Activity,
    Amount,
    Capabilities,
    Count,
    DeviceKind,
    Effect,
    Favor,
    Kwh,
    LeasePhase,
    Name,
    Open,
    Presence,
    Readings,
    Seconds,
    Severity,
    Text,
    Verdict,
    Watts,
)


class Announce(WireModel):
    """`announce`: that this rig exists. Static, so that Home Assistant is not asked twice."""

    rig: Name
    name: Name
    protocol: Count
    min_protocol: Count
    version: Name


class Status(WireModel):
    """`status`: `online` while connected; the broker says `offline` for a bridge that died."""

    status: Open[Presence]
    boot_id: Name


class Device(WireModel):
    """A device in the inventory. `ordinal` numbers devices of one kind and is never reused."""

    uid: Name
    kind: Open[DeviceKind]
    name: Name
    ordinal: Count = 0
    model: Name | None = None
    firmware: Name | None = None
    mac: Name | None = None
    url: Text | None = None
    capabilities: Capabilities = Capabilities()


class Heater(WireModel):
    """The unit that gets watts: one ASIC, or all GPUs and the CPU of one machine.

    `idle_w` is drawn whatever is asked; from `min_w` up it really hashes; `max_w` is the owner's.
    `unattended_w` is what it draws after its own reboot with nobody talking to it, `boot_peak_w`
    for a moment while it starts. Watts between two of its steps are rounded down. With
    `starts_per_day` it wears: it takes `start_s` to start, and only so many starts a day.
    """

    id: Name
    name: Name
    devices: tuple[Name, ...]
    idle_w: Watts
    min_w: Watts
    max_w: Watts
    unattended_w: Watts
    boot_peak_w: Watts | None = None
    step_w: Watts = 1.0
    settle_s: Seconds = 30.0
    start_s: Seconds = 0.0
    starts_per_day: Count | None = None
    can_hash: bool = False
    can_answer: bool = False


class Model(WireModel):
    """A model that a runner serves: one that answers, and `sees` images, or one that draws them."""

    id: Name
    size_bytes: Count | None = None
    sha256: Name | None = None
    context_tokens: Count | None = None
    sees: bool = False
    draws: bool = False


class Runner(WireModel):
    """A program that answers, and the models it serves."""

    name: Name
    plugin: Name
    models: tuple[Model, ...] = ()


class Endpoint(WireModel):
    """Where words go: an OpenAI-compatible API that wants the rig's key."""

    url: Text
    needs_key: bool = True


class Inventory(WireModel):
    """`inventory`: what the rig consists of and what its owner allows.

    `control_refused` says in a sentence why requests would be refused even though the owner allows
    them. `exposed` names what anybody in the network can read: `mqtt`, `api`. With
    `signed_requests` it takes only requests that its key signed, but for a stop.
    """

    boot_id: Name
    protocol: Count
    min_protocol: Count
    version: Name
    name: Name
    allow_control: bool = False
    control_refused: Text | None = None
    exposed: tuple[Name, ...] = ()
    signed_requests: bool = False
    max_ttl_s: Seconds = 300.0
    coast_s: Seconds = 1800.0
    heaters: tuple[Heater, ...] = ()
    devices: tuple[Device, ...] = ()
    runners: tuple[Runner, ...] = ()
    endpoint: Endpoint | None = None


class LeaseInForce(WireModel):
    """The lease that a heater follows now. `remaining_s` runs to the end of its phase."""

    controller: Name
    power_w: Watts
    cap_w: Watts | None = None
    favor: Open[Favor] = Favor.BALANCED
    dark: bool = False
    phase: Open[LeasePhase] = LeasePhase.ACTIVE
    remaining_s: Seconds


class HeaterState(WireModel):
    """A heater now: what it draws, what it aims at and why, what could be asked of it.

    `possible_w` is the most it can draw as it stands, by limits that were read back and are
    followed: what a circuit reckons with. `starts_left`: how often it may still be started today.
    `hold_s`: for how long it is left alone, because a person changed it by the vendor's own means.
    """

    id: Name
    power_w: Watts | None = None
    possible_w: Watts | None = None
    target_w: Watts | None = None
    effect: Open[Effect] | None = None
    reason: Text = ""
    available_w: Watts = 0.0
    available_why: Text = ""
    starts_left: Count | None = None
    hold_s: Seconds | None = None
    lease: LeaseInForce | None = None


class Stages(WireModel):
    """What stands before the first token of an answer, in seconds: together `first_token_s`."""

    queue_s: Seconds = 0.0
    pause_s: Seconds = 0.0
    load_s: Seconds = 0.0
    read_s: Seconds = 0.0


class LastAnswer(WireModel):
    """What the last answer took. `pause_s` is how long it waited for hashing to give way.

    `hashes_given_up` and `energy_given_up_wh` are what miners would have made and drawn meanwhile.
    """

    priority: Name
    queue_s: Seconds = 0.0
    pause_s: Seconds = 0.0
    read_s: Seconds = 0.0
    speak_s: Seconds = 0.0
    prompt_tokens: Count | None = None
    cached_tokens: Count | None = None
    completion_tokens: Count | None = None
    energy_wh: Amount | None = None
    hashes_given_up: Count = 0
    energy_given_up_wh: Amount = 0.0


class InferenceState(WireModel):
    """Can the rig answer, and how soon. Totals count since the rig was first set up.

    `stages` add up to `first_token_s`. `prompt_warm` says that the model has read the house's
    prompt, `cached_share` which part of their prompts voice questions found already read. `local`:
    a test tried to get out of the network that the models have, and could not.
    """

    available: bool
    why: Text = ""
    model: Name | None = None
    first_token_s: Seconds | None = None
    tokens_per_s: Amount | None = None
    tokens_per_joule: Amount | None = None
    prompt_tokens_per_s: Amount | None = None
    stages: Stages | None = None
    prompt_warm: bool | None = None
    cached_share: Annotated[float, Field(ge=0, le=1)] | None = None
    waiting: Count = 0
    answering: Count = 0
    answers_total: Count = 0
    tokens_total: Count = 0
    preemptions_total: Count = 0
    hashes_given_up_total: Count | None = None
    energy_given_up_kwh: Kwh | None = None
    last_answer: LastAnswer | None = None
    local: bool | None = None
    local_why: Text = ""
    tasks_waiting: Count | None = None
    tasks_running: Count | None = None


class VoiceProgram(WireModel):
    """A program that hears or speaks (Wyoming); `can`: hears, speaks, wakes, understands."""

    name: Name
    available: bool
    can: tuple[Name, ...] = ()
    why: Text = ""


class Fault(WireModel):
    """Something wrong since `since_s` seconds; `uid` names the device, if it is one's."""

    code: Name
    text: Text
    since_s: Seconds
    uid: Name | None = None


class Health(WireModel):
    """Counters that show whether the bridge itself is well."""

    requests_accepted_total: Count = 0
    requests_refused_total: Count = 0
    messages_invalid_total: Count = 0
    device_read_failures_total: Count = 0
    broker_reconnects_total: Count = 0


class RigState(WireModel):
    """`state`: the heartbeat. Watts and energy are the whole machine's, at the wall."""

    boot_id: Name
    tick: Seconds
    activity: Open[Activity]
    power_w: Watts | None = None
    energy_kwh: Kwh | None = None
    hashing_w: Watts | None = None
    answering_w: Watts | None = None
    idle_w: Watts | None = None
    hash_rate_mhs: Amount | None = None
    shares_accepted_total: Count | None = None
    stopped: bool = False
    controller: Name | None = None
    heaters: tuple[HeaterState, ...] = ()
    inference: InferenceState | None = None
    voice: tuple[VoiceProgram, ...] = ()
    faults: tuple[Fault, ...] = ()
    health: Health = Health()
    missing: dict[Name, Text] = Field(default_factory=dict)


class DeviceState(Readings):
    """`device/<uid>`: its readings, what it does, and whether its watts follow its target."""

    boot_id: Name
    activity: Open[Activity]
    target_w: Watts | None = None
    since_s: Seconds | None = None
    effect: Open[Effect] | None = None
    reason: Text = ""


class Event(WireModel):
    """`event`: something happened: a fault, a pre-emption, a refusal, a safety action.

    `task` is the id of a queued task whose status the `code` tells (`task_done`, ...).
    """

    boot_id: Name
    tick: Seconds
    code: Name
    text: Text
    severity: Open[Severity] = Severity.INFO
    uid: Name | None = None
    heater: Name | None = None
    task: Name | None = None


class Request(WireModel):
    """What every request says: which run of the bridge it means, how fresh it is, who asks.

    Taken only if `boot_id` matches, `tick` is at most 10 s old and `seq` is newer than the
    controller's last, so that a request is executed at most once and never late.
    """

    id: Name
    boot_id: Name
    tick: Seconds
    controller: Name
    seq: Annotated[int, Field(ge=1, le=2**53)]


class LeaseRequest(Request):
    """Give `heater` `power_w` watts for `ttl_s` seconds from receipt, unless renewed.

    `cap_w` bounds what it may draw for any purpose, answering included; without it the rig's own
    `max_w` does. `urgent` is for frost: a heater that wears may use its reserve of starts. With
    `dark` its screen is off until the lease is over, where it can be.
    """

    kind: Literal["lease"] = "lease"
    heater: Name
    power_w: Watts
    ttl_s: Annotated[float, Field(ge=5, le=3600)] = 300.0
    cap_w: Watts | None = None
    favor: Favor = Favor.BALANCED
    urgent: bool = False
    dark: bool = False


class ReleaseRequest(Request):
    """End the lease of `heater` now; the owner's safe state follows."""

    kind: Literal["release"] = "release"
    heater: Name


class StopAllRequest(Request):
    """Stop everything that draws watts, above every rule; `engaged` false is a person's release."""

    kind: Literal["stop_all"] = "stop_all"
    engaged: bool = True


class RestartDeviceRequest(Request):
    """Restart one device, where it can be."""

    kind: Literal["restart_device"] = "restart_device"
    uid: Name


AnyRequest: TypeAlias = Annotated[
    LeaseRequest | ReleaseRequest | StopAllRequest | RestartDeviceRequest,
    Field(discriminator="kind"),
]


_ANY_REQUEST: Final[TypeAdapter[AnyRequest]] = TypeAdapter(AnyRequest)


def decode_request(payload: str | bytes) -> AnyRequest:
    """Return the request in `payload`; raises WireError, also for an unknown kind."""
    request: AnyRequest = read(_ANY_REQUEST, payload, MAX_REQUEST_BYTES)
    return request


class Response(WireModel):
    """`response`: said at once. The effect shows later, in `device/<uid>`."""

    id: Name
    controller: Name
    seq: int
    result: Open[Verdict]
    code: Name
    text: Text = ""
