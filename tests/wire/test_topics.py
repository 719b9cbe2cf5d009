"""Topics: one table, and nothing that is not ours is taken for ours."""

import pytest
from hypothesis import given, strategies as st

from tests.wire.speech import Copy

BRIDGE = Copy("hashcenter_bridge.wire")


def test_a_topic_is_parsed_back_to_what_it_was_made_of(wire: Copy) -> None:
    topics = wire.topics
    for topic in (*topics.SAID_BY_RIG, topics.REQUEST):
        uid = "GPU-1.2:3_4" if topic.per_device else None
        assert topics.parse(topic.of("attic-1", uid)) == topics.Address("attic-1", topic, uid)


def test_only_what_fills_names_is_retained_and_what_goes_stale_expires(wire: Copy) -> None:
    topics = wire.topics
    assert [topic.name for topic in topics.SAID_BY_RIG if topic.retained] == [
        "announce", "status", "inventory", "state", "device",
    ]  # fmt: skip
    assert not topics.REQUEST.retained
    assert topics.STATE.expiry_s
    assert topics.DEVICE.expiry_s
    assert topics.REQUEST.expiry_s <= 10


def test_a_house_hears_all_that_rigs_say_and_no_requests(wire: Copy) -> None:
    assert set(wire.topics.HOUSE_FILTERS) == {
        *(f"hashcenter/v1/+/{name}" for name in ("announce", "status", "inventory", "state")),
        *(f"hashcenter/v1/+/{name}" for name in ("event", "response")),
        "hashcenter/v1/+/device/+",
    }


def test_a_device_topic_needs_a_uid_and_others_take_none(wire: Copy) -> None:
    with pytest.raises(ValueError, match="uid"):
        wire.topics.DEVICE.of("attic")
    with pytest.raises(ValueError, match="uid"):
        wire.topics.STATE.of("attic", "GPU-1")


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "hashcenter/v1",
        "hashcenter/v1/",
        "hashcenter/v1/attic",
        "hashcenter/v1/attic/",
        "hashcenter/v1/attic/state/",
        "hashcenter/v1/attic/state/more",
        "hashcenter/v1/attic/device",
        "hashcenter/v1/attic/device/",
        "hashcenter/v1/attic/device/GPU-1/more",
        "hashcenter/v1/attic/device/../state",
        "hashcenter/v1/attic/device/GPU 1",
        "hashcenter/v1/attic/device/GPU-1\n",
        "hashcenter/v1/attic\n/state",
        "hashcenter/v1/Attic/state",
        "hashcenter/v1/-attic/state",
        "hashcenter/v1/+/state",
        "hashcenter/v1/#",
        "hashcenter/v2/attic/state",
        "hashcenter/v1//state",
        "hashcenter/v1/attic/sTate",
        "/hashcenter/v1/attic/state",
        f"hashcenter/v1/{'a' * 33}/state",
        f"hashcenter/v1/attic/device/{'a' * 65}",
    ],
)
def test_what_is_not_ours_is_nobodys(wire: Copy, topic: str) -> None:
    assert wire.topics.parse(topic) is None


levels = st.text(max_size=12) | st.sampled_from(
    ["hashcenter", "v1", "attic", "state", "device", "+", "#"]
)


@given(st.text() | st.lists(levels, max_size=7).map("/".join))
def test_any_topic_is_ours_or_nobodys(topic: str) -> None:
    address = BRIDGE.topics.parse(topic)
    if address is not None:
        assert address.topic.of(address.rig, address.uid) == topic


@pytest.mark.parametrize(
    ("protocol", "min_protocol", "speaks"),
    [(1, 1, True), (2, 1, True), (2, 2, False), (0, 0, False), (9, 1, True), (1, 0, True)],
)
def test_control_needs_a_version_that_both_speak(
    wire: Copy, protocol: int, min_protocol: int, speaks: bool
) -> None:
    assert wire.version.PROTOCOL == 1
    assert wire.version.MIN_PROTOCOL <= wire.version.PROTOCOL
    assert wire.version.can_control(protocol, min_protocol) is speaks
