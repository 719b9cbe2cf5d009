"""What senders may say and receivers understand, for both copies of the wire."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, strategies as st

from tests.wire.speech import EXAMPLES, MESSAGES, REQUESTS, Copy, payload

BRIDGE, INTEGRATION = Copy("hashcenter_bridge.wire"), Copy("custom_components.hashcenter.wire")

every_example = pytest.mark.parametrize("example", MESSAGES)


def test_every_message_has_an_example_and_every_example_a_message(wire: Copy) -> None:
    assert {path.stem for path in EXAMPLES.glob("*.json")} == set(MESSAGES)
    spoken = {topic.message.__name__ for topic in wire.topics.SAID_BY_RIG}
    assert spoken | {wire.model(name).__name__ for name in REQUESTS} == set(MESSAGES.values())


@every_example
def test_an_example_is_read_and_says_nothing_unknown(wire: Copy, example: str) -> None:
    message = wire.codec.decode(wire.model(example), payload(example))
    assert message == wire.model(example).model_validate_json(payload(example), extra="forbid")


@every_example
def test_a_message_survives_being_sent(wire: Copy, example: str) -> None:
    message = wire.codec.decode(wire.model(example), payload(example))
    sent = wire.codec.encode(message)
    assert wire.codec.decode(wire.model(example), sent) == message


@every_example
def test_both_copies_write_the_same(example: str) -> None:
    sent = [
        copy.codec.encode(copy.codec.decode(copy.model(example), payload(example)))
        for copy in (BRIDGE, INTEGRATION)
    ]
    assert sent[0] == sent[1]


@every_example
def test_examples_show_every_field_that_matters(wire: Copy, example: str) -> None:
    optional = {"control_refused", "memory_temp_c", "memory_clock_mhz"}
    # Fields of other devices: a knob in percent or steps, a regulator, an outlet.
    optional |= {"power_percent", "step", "regulator_temp_c", "outlet_temp_c"}
    alike = [name for name, message in MESSAGES.items() if message == MESSAGES[example]]
    shown = {field for name in alike for field in json.loads(payload(name))}
    assert set(wire.model(example).model_fields) - shown <= optional


@every_example
def test_unknown_fields_are_ignored(wire: Copy, example: str) -> None:
    known = json.loads(payload(example))
    newer = json.dumps({**known, "a_field_of_tomorrow": {"deep": [1, 2, 3]}})
    model = wire.model(example)
    assert wire.codec.decode(model, newer) == wire.codec.decode(model, json.dumps(known))


def test_unknown_enum_values_are_kept_raw(wire: Copy) -> None:
    def changed(example: str, **fields: Any) -> Any:
        told = json.dumps({**json.loads(payload(example)), **fields})
        return wire.codec.decode(wire.model(example), told)

    assert changed("status", status="napping").status == "napping"
    device = changed("device", activity="folding", effect="maybe", throttle="moon")
    assert (device.activity, device.effect, device.throttle) == ("folding", "maybe", "moon")
    assert changed("event", severity="apocalyptic").severity == "apocalyptic"
    assert changed("response", result="pondered").result == "pondered"
    assert wire.codec.encode(changed("status", status="napping")).count("napping") == 1


def test_known_enum_values_become_the_enum(wire: Copy) -> None:
    status = wire.codec.decode(wire.model("status"), payload("status"))
    assert status.status is wire.values.Presence.ONLINE
    device = wire.codec.decode(wire.model("device"), payload("device"))
    assert device.activity is wire.values.Activity.HASHING


def test_a_favor_that_a_rig_does_not_know_is_refused(wire: Copy) -> None:
    asked = {**json.loads(payload("request_lease")), "favor": "gaming"}
    with pytest.raises(wire.codec.WireError, match="favor"):
        wire.messages.decode_request(json.dumps(asked))


def test_a_missing_reading_is_absent_and_never_zero(wire: Copy) -> None:
    readings = wire.values.Readings(power_w=1.0, temp_c=2.0).with_missing(power_w="it is lost")
    assert readings.power_w is None
    assert readings.missing == {"power_w": "it is lost"}
    assert json.loads(wire.codec.encode(readings)) == {
        "temp_c": 2.0,
        "missing": {"power_w": "it is lost"},
    }


def test_messages_are_frozen(wire: Copy) -> None:
    status = wire.codec.decode(wire.model("status"), payload("status"))
    with pytest.raises(ValueError, match="frozen"):
        status.boot_id = "other"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tick", "86412.3"),
        ("tick", -1.0),
        ("seq", 0),
        ("seq", 2**53 + 1),
        ("seq", 1.5),
        ("seq", True),
        ("controller", ""),
        ("controller", "x" * 121),
        ("power_w", -1.0),
        ("power_w", 1_000_001.0),
        ("power_w", None),
        ("ttl_s", 4.9),
        ("ttl_s", 3600.1),
        ("cap_w", -0.1),
        ("kind", "self_destruct"),
        ("kind", None),
    ],
)
def test_a_request_that_does_not_fit_is_refused_with_the_field(
    wire: Copy, field: str, value: object
) -> None:
    asked = json.dumps({**json.loads(payload("request_lease")), field: value})
    with pytest.raises(wire.codec.WireError, match=field):
        wire.messages.decode_request(asked)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_are_finite(wire: Copy, number: str) -> None:
    asked = payload("request_lease").decode().replace("340.0", number)
    with pytest.raises(wire.codec.WireError):
        wire.messages.decode_request(asked)


@pytest.mark.parametrize("example", REQUESTS)
def test_each_request_is_told_by_its_kind(wire: Copy, example: str) -> None:
    assert type(wire.messages.decode_request(payload(example))) is wire.model(example)


def test_a_request_carries_no_pool_path_or_command(wire: Copy) -> None:
    allowed = {
        "kind", "id", "boot_id", "tick", "controller", "seq",
        "heater", "power_w", "ttl_s", "cap_w", "favor", "urgent", "dark", "engaged", "uid",
    }  # fmt: skip
    assert {field for name in REQUESTS for field in wire.model(name).model_fields} == allowed


def test_an_oversized_message_is_refused_before_it_is_parsed(wire: Copy) -> None:
    limit = wire.codec.MAX_REQUEST_BYTES
    with pytest.raises(wire.codec.WireError, match=f"at most {limit}"):
        wire.messages.decode_request(b"[" * (limit + 1))
    padded = payload("request_lease").rstrip().ljust(limit)
    assert wire.messages.decode_request(padded).seq == 4711


def test_what_is_wrong_is_said_in_one_short_line(wire: Copy) -> None:
    for bad in (b"", b"{", b"[]", b"null", b"\xff", b'{"kind":"' + b"x" * 3000 + b'"}'):
        with pytest.raises(wire.codec.WireError) as err:
            wire.messages.decode_request(bad)
        assert 0 < len(str(err.value)) < 300
        assert "\n" not in str(err.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.sampled_from((BRIDGE, INTEGRATION)), st.sampled_from(list(MESSAGES)), st.binary())
def test_arbitrary_bytes_are_a_wire_error_or_a_message(
    copy: Copy, example: str, noise: bytes
) -> None:
    with suppress(copy.codec.WireError):
        assert copy.codec.decode(copy.model(example), noise) is not None
    with suppress(copy.codec.WireError):
        assert copy.messages.decode_request(noise) is not None


@given(st.sampled_from((BRIDGE, INTEGRATION)), st.text())
def test_arbitrary_text_is_a_wire_error_or_a_message(copy: Copy, noise: str) -> None:
    with pytest.raises(copy.codec.WireError):
        copy.messages.decode_request(noise)


@given(
    st.sampled_from((BRIDGE, INTEGRATION)),
    st.sampled_from(list(MESSAGES)),
    st.dictionaries(st.text(max_size=8), json_values, max_size=3),
    st.data(),
)
def test_a_mangled_message_is_a_wire_error_or_reads_back_the_same(
    copy: Copy, example: str, extra: dict[str, Any], data: st.DataObject
) -> None:
    fields = json.loads(payload(example))
    mangled = data.draw(st.sampled_from(sorted(fields)))
    told = json.dumps({**extra, **fields, mangled: data.draw(json_values)})
    with suppress(copy.codec.WireError):
        message = copy.codec.decode(copy.model(example), told)
        assert copy.codec.decode(copy.model(example), copy.codec.encode(message)) == message


@pytest.mark.parametrize("wrong", [1e308, -1e308, 65535, -274])
def test_a_temperature_that_cannot_be_is_unknown_and_the_rest_is_taken(
    wire: Copy, wrong: float
) -> None:
    told = json.dumps({**json.loads(payload("device")), "temp_c": wrong, "memory_temp_c": 71.0})
    device = wire.codec.decode(wire.model("device"), told)
    assert (device.temp_c, device.memory_temp_c) == (None, 71.0)


@pytest.mark.parametrize(
    ("example", "field"), [("device", "energy_kwh"), ("state", "tick"), ("state", "hash_rate_mhs")]
)
def test_figures_beyond_all_measure_are_refused(wire: Copy, example: str, field: str) -> None:
    told = json.dumps({**json.loads(payload(example)), field: 1e300})
    with pytest.raises(wire.codec.WireError, match=field):
        wire.codec.decode(wire.model(example), told)
