"""Requests: executed at most once, never late, and only what the owner allows (wire rule 1)."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from hashcenter_bridge.intake import MAX_AGE_S, Intake, Situation, Taken
from hashcenter_bridge.wire.messages import (
    LeaseRequest,
    ReleaseRequest,
    RestartDeviceRequest,
    StopAllRequest,
)

NOW = Situation(
    boot_id="boot",
    tick=1000.0,
    controller="house",
    allow_control=True,
    control_refused=None,
    stopped=False,
    heaters=frozenset({"attic"}),
    restartable=frozenset({"02:42"}),
    max_ttl_s=900.0,
)


_OWN: dict[str, dict[str, Any]] = {
    "lease": {"heater": "attic", "power_w": 300.0},
    "release": {"heater": "attic"},
    "stop_all": {},
    "restart_device": {"uid": "02:42"},
}


class Door:
    """An intake whose situation a test changes as it likes."""

    def __init__(self, **changes: Any) -> None:
        self.situation = replace(NOW, **changes)
        self.intake = Intake(lambda: self.situation)
        self._seq = 0

    def take(self, kind: str = "lease", *, retained: bool = False, **fields: Any) -> Taken:
        """Take a request that is fresh and right but for `fields`."""
        return self.intake.take(self.write(kind, **fields), retained=retained)

    def write(self, kind: str = "lease", **fields: Any) -> bytes:
        """Return a request as it travels."""
        self._seq += 1
        said = {
            "kind": kind, "id": f"q{self._seq}", "boot_id": "boot", "tick": 1000.0,
            "controller": "house", "seq": self._seq, **_OWN[kind], **fields,
        }  # fmt: skip
        return json.dumps(said).encode()


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        ("lease", LeaseRequest),
        ("release", ReleaseRequest),
        ("stop_all", StopAllRequest),
        ("restart_device", RestartDeviceRequest),
    ],
)
def test_a_fresh_request_is_taken_and_answered(kind: str, model: type) -> None:
    taken = Door().take(kind)
    assert isinstance(taken.request, model)
    assert taken.response is not None
    assert (taken.response.result, taken.response.code) == ("accepted", "accepted")
    assert (taken.response.id, taken.response.controller, taken.response.seq) == ("q1", "house", 1)


def refused(taken: Taken) -> str:
    """Return the code of a refusal that moves nothing and says why."""
    assert taken.request is None
    assert taken.response is not None
    assert taken.response.result == "refused"
    assert taken.response.code == taken.code
    assert taken.response.text
    return taken.code


def test_a_retained_request_is_never_taken_nor_answered() -> None:
    assert Door().take(retained=True) == Taken("retained")


def test_a_request_for_another_run_of_the_bridge_is_refused() -> None:
    assert refused(Door().take(boot_id="yesterday")) == "wrong_boot"


@pytest.mark.parametrize(
    ("tick", "code"),
    [
        (1000.0 - MAX_AGE_S, "accepted"),
        (1000.0 - MAX_AGE_S - 0.1, "stale"),
        (0.0, "stale"),
        (1000.9, "accepted"),
        (1001.1, "stale"),
        (1e10, "stale"),
        (1e300, "malformed"),
    ],
)
def test_a_request_is_taken_for_ten_seconds_and_never_from_the_future(
    tick: float, code: str
) -> None:
    assert Door().take(tick=tick).code == code


def test_a_repeated_request_is_refused_as_is_an_older_one() -> None:
    door = Door()
    message = door.write(seq=7)
    assert door.intake.take(message, retained=False).code == "accepted"
    assert refused(door.intake.take(message, retained=False)) == "duplicate"
    assert refused(door.take(seq=6)) == "duplicate"
    assert door.take(seq=8).code == "accepted"


def test_a_refused_request_cannot_come_again_either() -> None:
    door = Door(stopped=True)
    message = door.write()
    assert refused(door.intake.take(message, retained=False)) == "stopped"
    door.situation = replace(door.situation, stopped=False)
    assert refused(door.intake.take(message, retained=False)) == "duplicate"


def test_a_rig_obeys_the_first_house_and_names_it_to_others() -> None:
    taken = Door().take(controller="neighbor")
    assert refused(taken) == "held_by"
    assert taken.response is not None
    assert "house" in taken.response.text


def test_a_foreign_house_cannot_use_up_the_numbers_of_ours() -> None:
    door = Door()
    door.take(controller="neighbor", seq=2**53)
    assert door.take(seq=1).code == "accepted"


def test_a_rig_that_obeys_nobody_takes_the_first_that_asks() -> None:
    assert Door(controller=None).take(controller="anybody").code == "accepted"


def test_a_request_is_not_taken_twice_though_the_rig_was_unpaired_in_between() -> None:
    door = Door()
    message = door.write()
    assert door.intake.take(message, retained=False).code == "accepted"
    door.situation = replace(door.situation, controller=None)
    for number in range(20):
        door.take(controller=f"stranger {number}", heater="none", seq=1)
    assert refused(door.intake.take(message, retained=False)) == "duplicate"


def test_many_strangers_take_no_memory() -> None:
    door = Door(controller=None, allow_control=False)
    for number in range(1000):
        door.take(controller=f"stranger {number}")
    assert len(door.intake._seq) <= 64


@pytest.mark.parametrize("kind", ["lease", "release"])
def test_an_unknown_heater_is_refused(kind: str) -> None:
    assert refused(Door().take(kind, heater="cellar")) == "unknown_heater"


def test_an_unknown_device_is_refused() -> None:
    assert refused(Door().take("restart_device", uid="GPU-1")) == "unknown_device"


@pytest.mark.parametrize("name", ["\x01" * 120, "\U000e0001" * 120, "'" * 120, "é" * 120])
@pytest.mark.parametrize(("kind", "field"), [("lease", "heater"), ("restart_device", "uid")])
def test_a_refusal_that_quotes_a_strange_name_can_still_be_said(
    kind: str, field: str, name: str
) -> None:
    strange: dict[str, Any] = {field: name}
    assert refused(Door().take(kind, **strange)).startswith("unknown")


@pytest.mark.parametrize("kind", ["lease", "release", "restart_device"])
def test_without_the_owners_consent_nothing_is_controlled(kind: str) -> None:
    assert refused(Door(allow_control=False).take(kind)) == "control_off"
    because = Door(control_refused="the breaker is too small")
    taken = because.take(kind)
    assert refused(taken) == "control_refused"
    assert taken.response is not None
    assert taken.response.text == "the breaker is too small"


def test_after_stop_all_only_releases_are_taken() -> None:
    door = Door(stopped=True)
    assert refused(door.take("lease")) == "stopped"
    assert refused(door.take("restart_device")) == "stopped"
    assert door.take("release").code == "accepted"
    assert door.take("stop_all", engaged=False).code == "accepted"


@pytest.mark.parametrize(
    "situation", [{"stopped": True}, {"allow_control": False}, {"control_refused": "no"}]
)
@pytest.mark.parametrize("engaged", [True, False])
def test_a_person_can_always_stop_everything_and_release_it(
    situation: dict[str, Any], engaged: bool
) -> None:
    assert Door(**situation).take("stop_all", engaged=engaged).code == "accepted"


def test_stop_all_obeys_the_same_freshness_as_everything() -> None:
    assert refused(Door().take("stop_all", tick=900.0)) == "stale"
    assert refused(Door().take("stop_all", controller="neighbor")) == "held_by"


def test_a_lease_may_not_be_longer_than_the_rig_allows() -> None:
    assert Door().take(ttl_s=900.0).code == "accepted"
    assert refused(Door().take(ttl_s=901.0)) == "ttl_too_long"


def test_who_can_be_told_is_told_that_a_request_is_malformed() -> None:
    taken = Door().take(power_w="much")
    assert refused(taken) == "malformed"
    assert taken.response is not None
    assert "power_w" in taken.response.text
    assert refused(Door().take(kind="lease", heater=None)) == "malformed"


def test_an_unknown_kind_is_refused_by_name() -> None:
    door = Door()
    message = json.loads(door.write())
    message["kind"] = "overclock"
    taken = door.intake.take(json.dumps(message).encode(), retained=False)
    assert refused(taken) == "malformed"


@pytest.mark.parametrize(
    "payload",
    [b"", b"null", b"[]", b"{}", b"\xff\xfe", b"{" * 4000, b'"' + b"x" * 100_000 + b'"'],
    ids=["empty", "null", "list", "object", "bytes", "nested", "oversized"],
)
def test_what_names_nobody_is_counted_and_not_answered(payload: bytes) -> None:
    assert Door().intake.take(payload, retained=False) == Taken("malformed")


@given(st.binary(max_size=5000), st.booleans())
def test_arbitrary_bytes_move_nothing(noise: bytes, retained: bool) -> None:
    taken = Door().intake.take(noise, retained=retained)
    assert taken.request is None
    assert taken.response is None


fields = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from(["lease", "release", "stop_all", "restart_device", "?", None, 1]),
        "id": st.text(max_size=150) | st.integers(),
        "boot_id": st.sampled_from(["boot", "other", ""]),
        "tick": st.floats() | st.integers() | st.none(),
        "controller": st.sampled_from(["house", "neighbor", "", "x" * 121, None]),
        "seq": st.integers() | st.floats() | st.none(),
        "heater": st.text(max_size=130),
        "uid": st.text(max_size=130),
        "power_w": st.floats() | st.text(max_size=3),
        "engaged": st.booleans() | st.text(max_size=3),
        "ttl_s": st.floats(),
        "extra": st.recursive(st.none(), lambda inner: st.lists(inner, max_size=3)),
    },
)


@given(fields, st.booleans(), st.sampled_from([None, "house", "neighbor"]))
def test_whatever_is_asked_is_judged_without_an_error(
    asked: dict[str, Any], allow_control: bool, controller: str | None
) -> None:
    door = Door(allow_control=allow_control, controller=controller)
    right = json.loads(door.write())
    payload = json.dumps({**right, **asked}).encode()
    taken = door.intake.take(payload, retained=False)
    assert (taken.request is not None) == (taken.code == "accepted")
    if taken.request is not None:
        assert taken.request.boot_id == "boot"
        assert -1.0 <= 1000.0 - taken.request.tick <= MAX_AGE_S
        assert controller in (None, taken.request.controller)
    assert door.intake.take(payload, retained=False).request is None


@given(
    st.lists(
        st.tuples(st.sampled_from(["house", "neighbor"]), st.integers(1, 6), st.integers(0, 30)),
        max_size=40,
    )
)
def test_no_request_is_executed_twice_or_late_whatever_a_broker_replays(
    deliveries: list[tuple[str, int, int]],
) -> None:
    door = Door(controller=None)
    executed: set[tuple[str, int]] = set()
    newest = 0
    for step, (controller, seq, age_s) in enumerate(deliveries):
        tick = 1000.0 + step
        door.situation = replace(door.situation, tick=tick)
        taken = door.take(controller=controller, seq=seq, tick=tick - age_s)
        if taken.request is None:
            continue
        assert (controller, seq) not in executed
        assert age_s <= MAX_AGE_S
        assert seq > newest
        newest = seq
        executed.add((controller, seq))
        door.situation = replace(door.situation, controller=controller)
    assert len({controller for controller, _ in executed}) <= 1
