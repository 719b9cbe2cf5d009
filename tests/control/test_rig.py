"""A rig as its messages make it: alive by its heartbeat alone, values of this run only."""

import pytest

from custom_components.hashcenter.rigs.rig import DEVICE_SILENT_S, Rig, origin_of
from custom_components.hashcenter.wire.messages import (
    Announce,
    DeviceState,
    Endpoint,
    Event,
    Heater,
    Inventory,
    RigState,
    Status,
)

GPU = "GPU-1"


def heartbeat(tick: float = 100.0, boot_id: str = "boot-1") -> RigState:
    return RigState(boot_id=boot_id, tick=tick, activity="idle", power_w=50.0)


def inventory(boot_id: str = "boot-1", **values: object) -> Inventory:
    said = {"boot_id": boot_id, "protocol": 1, "min_protocol": 1, "version": "0.1.0", "name": "A"}
    return Inventory.model_validate({**said, **values})


def device(boot_id: str = "boot-1", power_w: float = 200.0) -> DeviceState:
    return DeviceState(boot_id=boot_id, activity="hashing", power_w=power_w)


def hear(rig: Rig, *messages: object) -> Rig:
    """Return the rig after live messages; a device's come from GPU."""
    for message in messages:
        uid = GPU if isinstance(message, DeviceState) else None
        rig = rig.apply(message, uid=uid, retained=False)  # type: ignore[arg-type]
    return rig


ALIVE = hear(Rig("attic"), heartbeat())


def test_a_rig_is_offline_until_its_heartbeat_is_heard() -> None:
    rig = hear(Rig("attic"), inventory(), Status(status="online", boot_id="boot-1"), device())
    assert not rig.online
    assert rig.live is None
    assert hear(rig, heartbeat()).online


def test_a_retained_heartbeat_proves_nothing() -> None:
    assert Rig("attic").apply(heartbeat(), retained=True) == Rig("attic")


def test_a_retained_reading_is_not_shown() -> None:
    assert ALIVE.apply(device(), uid=GPU, retained=True).device(GPU) is None


def test_a_retained_inventory_fills_in_names() -> None:
    rig = Rig("attic").apply(inventory(name="Attic"), retained=True)
    assert rig.inventory is not None
    assert rig.inventory.name == "Attic"
    assert not rig.inventory_current


def test_the_will_of_this_run_makes_the_rig_offline() -> None:
    assert not hear(ALIVE, Status(status="offline", boot_id="boot-1")).online


@pytest.mark.parametrize("status", ["online", "asleep"])
def test_any_other_status_changes_nothing(status: str) -> None:
    assert hear(ALIVE, Status(status=status, boot_id="boot-1")) is ALIVE


def test_the_will_of_an_older_run_changes_nothing() -> None:
    assert hear(ALIVE, Status(status="offline", boot_id="boot-0")).online


def test_a_late_duplicate_of_a_heartbeat_does_not_bring_a_silent_rig_back() -> None:
    silent = hear(ALIVE, heartbeat(105)).silent()
    assert not hear(silent, heartbeat(100)).online
    assert hear(silent, heartbeat(110)).online


def test_the_last_state_outlives_the_silence_but_is_not_live() -> None:
    silent = ALIVE.silent()
    assert silent.state is not None
    assert silent.live is None


def test_a_new_run_counts_its_ticks_from_the_beginning() -> None:
    rig = hear(ALIVE, heartbeat(5, "boot-2"))
    assert rig.live is not None
    assert rig.live.tick == 5


def test_readings_of_another_run_are_not_shown() -> None:
    rig = hear(ALIVE, device(), heartbeat(5, "boot-2"))
    assert rig.devices == {}


def test_a_reading_said_before_the_first_heartbeat_of_its_run_is_shown_with_it() -> None:
    rig = hear(Rig("attic"), device())
    assert rig.device(GPU) is None
    assert hear(rig, heartbeat(9000)).devices == {GPU: device()}


def test_a_reading_of_a_new_run_waits_for_its_heartbeat() -> None:
    rig = hear(ALIVE, device("boot-2", 111.0))
    assert rig.device(GPU) is None
    rig = hear(rig, heartbeat(1, "boot-2"))
    assert rig.devices[GPU].power_w == 111.0


def test_a_reading_said_while_the_rig_seemed_silent_counts_from_its_return() -> None:
    rig = hear(ALIVE.silent(), device(), heartbeat(100 + DEVICE_SILENT_S * 3))
    assert rig.device(GPU) is not None


def test_a_device_that_says_nothing_for_30_s_of_ticks_has_no_reading() -> None:
    rig = hear(ALIVE, device())
    assert hear(rig, heartbeat(100 + DEVICE_SILENT_S)).device(GPU) is not None
    assert hear(rig, heartbeat(101 + DEVICE_SILENT_S)).device(GPU) is None


def test_a_device_message_without_a_device_and_an_event_change_nothing() -> None:
    assert ALIVE.apply(device(), retained=False) is ALIVE
    event = Event(boot_id="boot-1", tick=1, code="x", text="y")
    assert hear(ALIVE, event) is ALIVE


def test_control_needs_the_owners_word_of_this_run() -> None:
    allowed = inventory(allow_control=True)
    assert hear(ALIVE, allowed).controllable
    assert not hear(ALIVE, inventory()).controllable
    assert not hear(ALIVE, inventory("boot-0", allow_control=True)).controllable
    assert not hear(ALIVE, allowed).silent().controllable
    assert hear(ALIVE, allowed).silent().allows_control


def test_control_is_not_offered_where_the_rig_says_that_it_would_refuse() -> None:
    refused = inventory(allow_control=True, control_refused="unattended_w does not fit")
    assert not hear(ALIVE, refused).allows_control


def test_control_needs_a_common_protocol_and_telemetry_does_not() -> None:
    rig = hear(ALIVE, inventory(allow_control=True, protocol=9, min_protocol=9))
    assert not rig.protocol_ok
    assert not rig.allows_control
    assert rig.live is not None


def test_an_unheard_rig_is_not_accused_of_another_protocol() -> None:
    assert Rig("attic").protocol_ok
    old = Announce(rig="attic", name="A", protocol=0, min_protocol=0, version="0")
    assert not hear(Rig("attic"), old).protocol_ok


def test_the_version_is_that_of_the_inventory_or_the_announcement() -> None:
    said = Announce(rig="attic", name="A", protocol=1, min_protocol=1, version="0.0.9")
    assert Rig("attic").version is None
    assert hear(Rig("attic"), said).version == "0.0.9"
    assert hear(Rig("attic"), said, inventory()).version == "0.1.0"


def test_parts_of_the_inventory_are_found_by_id() -> None:
    heater = Heater(
        id="machine", name="M", devices=(GPU,), idle_w=1, min_w=2, max_w=3, unattended_w=1
    )
    rig = hear(
        ALIVE, inventory(heaters=(heater,), devices=({"uid": GPU, "kind": "gpu", "name": "G"},))
    )
    assert rig.heater("machine") == heater
    assert rig.heater("other") is None
    assert rig.heater_state("machine") is None
    described = rig.described(GPU)
    assert described is not None
    assert described.name == "G"
    assert Rig("attic").described(GPU) is None
    assert Rig("attic").heater("machine") is None
    assert Rig("attic").heater_state("machine") is None


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://10.0.0.5:8420", "http://10.0.0.5:8420"),
        ("http://10.0.0.5:8420/", "http://10.0.0.5:8420"),
        ("https://Rig.Example/v1/", "https://rig.example"),
        ("http://[fd00::1]:8420/v1", "http://[fd00::1]:8420"),
        ("file:///etc/passwd", None),
        ("http://user:secret@10.0.0.5", None),
        ("http://10.0.0.5:99999", None),
        ("http://", None),
        ("", None),
    ],
)
def test_an_endpoint_is_an_origin_of_http_or_nothing(url: str, origin: str | None) -> None:
    assert origin_of(url) == origin
    said = hear(ALIVE, inventory(endpoint=Endpoint(url=url)))
    assert said.endpoint_url == origin


def test_a_rig_without_an_endpoint_has_none() -> None:
    assert hear(ALIVE, inventory()).endpoint_url is None
