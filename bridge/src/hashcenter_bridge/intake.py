"""Requests from the house: each executed at most once, never late, and only what the owner allows.

The checks run in order, the first that fails is the answer. No clocks are compared: a request
quotes this run's `boot_id` and the `tick` of a heartbeat heard a moment ago (wire rule 1).
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from .wire.codec import MAX_REQUEST_BYTES, WireError, decode
from .wire.messages import (
    AnyRequest,
    LeaseRequest,
    ReleaseRequest,
    Request,
    Response,
    RestartDeviceRequest,
    StopAllRequest,
    decode_request,
)
from .wire.signing import opened
from .wire.values import Verdict

MAX_AGE_S: Final = 10.0
#: Only a rig that obeys nobody yet hears several; anybody may write names to the broker.
_MOST_CONTROLLERS: Final = 64
_LONGEST_TEXT: Final = 400


@dataclass(frozen=True)
class Situation:
    """What the checks need to know: this run, the pairing, what the owner allows and has."""

    boot_id: str
    tick: float
    controller: str | None
    allow_control: bool
    control_refused: str | None
    stopped: bool
    heaters: frozenset[str]
    restartable: frozenset[str]
    max_ttl_s: float


@dataclass(frozen=True)
class Taken:
    """The outcome: `request`, when not None, is to be executed; `response` is to be said.

    A retained or unreadable message names nobody who could be answered: `response` is None then.
    """

    code: str
    response: Response | None = None
    request: AnyRequest | None = None


class Intake:
    """Remembers the newest `seq` of the controllers heard last; that is its only state.

    `proves` says whether a signature is that of a request, by a key of this rig; without it nothing
    has to be signed, and signatures are not looked at.
    """

    def __init__(
        self,
        situation: Callable[[], Situation],
        proves: Callable[[bytes, str], bool] | None = None,
    ) -> None:
        self._situation = situation
        self._proves = proves
        self._seq: OrderedDict[str, int] = OrderedDict()

    def take(self, payload: bytes, *, retained: bool) -> Taken:
        """Judge one message of the `request` topic."""
        if retained:
            return Taken("retained")
        body, signature = opened(payload) if len(payload) <= MAX_REQUEST_BYTES else (payload, None)
        try:
            request: Request = decode_request(body)
        except WireError as err:
            return self._unreadable(payload, str(err))
        if (refusal := self._unproven(request, body, signature)) is not None:
            return _refused(request, *refusal)
        situation = self._situation()
        refusal = self._refusal(request, situation)
        if refusal is not None:
            return _refused(request, *refusal)
        self._seq[request.controller] = request.seq
        self._seq.move_to_end(request.controller)
        if len(self._seq) > _MOST_CONTROLLERS:
            self._seq.popitem(last=False)
        refusal = _not_allowed(request, situation)
        if refusal is not None:
            return _refused(request, *refusal)
        accepted = Response(
            id=request.id,
            controller=request.controller,
            seq=request.seq,
            result=Verdict.ACCEPTED,
            code="accepted",
        )
        return Taken("accepted", accepted, request)  # type: ignore[arg-type]

    def _unreadable(self, payload: bytes, why: str) -> Taken:
        try:
            asked = decode(Request, payload, MAX_REQUEST_BYTES)
        except WireError:
            return Taken("malformed")
        return _refused(asked, "malformed", why)

    def _unproven(
        self, request: Request, body: bytes, signature: str | None
    ) -> tuple[str, str] | None:
        """Return why a request is not known to come from the house, None if it is."""
        # A stop needs no proof: whoever can only stop heats nothing up.
        if self._proves is None or (isinstance(request, StopAllRequest) and request.engaged):
            return None
        if signature is None:
            return "unsigned", "this rig takes only requests that are signed with its key"
        if not self._proves(body, signature):
            return "wrong_signature", "the request is signed with a key that is not this rig's"
        return None

    def _refusal(self, request: Request, situation: Situation) -> tuple[str, str] | None:
        """Return why a request must not be looked at any further, None if it may."""
        age_s = situation.tick - request.tick
        if request.boot_id != situation.boot_id:
            return "wrong_boot", "the bridge was restarted since this request was written"
        if age_s > MAX_AGE_S:
            return "stale", f"the request quotes a heartbeat that is {age_s:.0f} s old"
        if age_s < -1.0:
            return "stale", "the request quotes a heartbeat that was never sent"
        if situation.controller not in (None, request.controller):
            return "held_by", f"another house controls this rig: {situation.controller}"
        if request.seq <= self._seq.get(request.controller, 0):
            return "duplicate", "this request, or a newer one, was taken already"
        return None


def _not_allowed(request: Request, situation: Situation) -> tuple[str, str] | None:
    """Return what the owner, the rig's state or the facts say against a fresh request."""
    if isinstance(request, StopAllRequest):
        return None
    if (
        isinstance(request, ReleaseRequest | LeaseRequest)
        and request.heater not in situation.heaters
    ):
        return "unknown_heater", f"this rig has no heater {request.heater!r}"
    if isinstance(request, RestartDeviceRequest) and request.uid not in situation.restartable:
        return "unknown_device", f"this rig has no device {request.uid!r} that can be restarted"
    if not situation.allow_control:
        return (
            "control_off",
            "the rig's owner has not turned control on (allow_control in its file)",
        )
    if situation.control_refused:
        return "control_refused", situation.control_refused
    if situation.stopped and not isinstance(request, ReleaseRequest):
        return "stopped", "Stop all is in force until a person releases it"
    if isinstance(request, LeaseRequest) and request.ttl_s > situation.max_ttl_s:
        return "ttl_too_long", f"a lease may last {situation.max_ttl_s:.0f} s at most"
    return None


def _refused(request: Request, code: str, text: str) -> Taken:
    response = Response(
        id=request.id,
        controller=request.controller,
        seq=request.seq,
        result=Verdict.REFUSED,
        code=code,
        # What a stranger wrote is quoted in it, and escaped it may be long.
        text=text[:_LONGEST_TEXT],
    )
    return Taken(code, response)
