"""What a rig's kWh is worth as heat, as work, as satoshis; what is not known stays unknown."""

from types import MappingProxyType
from typing import Any

import pytest

from custom_components.hashcenter.control.requests import HeaterKey
from custom_components.hashcenter.control.seen import HeaterSeen, Pace
from custom_components.hashcenter.control.wanted import Price
from custom_components.hashcenter.entities.worth import earned, hash_rate_ths, indoors
from custom_components.hashcenter.rigs.rig import Reading, Rig
from custom_components.hashcenter.wire.messages import Device, DeviceState, Inventory, RigState
from custom_components.hashcenter.wire.values import Activity, DeviceKind


def heater(name: str = "machine", room: str | None = "living", **values: Any) -> HeaterSeen:
    """Return a heater of the rig in the attic."""
    defaults: dict[str, Any] = {
        "pace": Pace.FAST,
        "circuit": None,
        "idle_w": 60.0,
        "min_w": 160.0,
        "max_w": 900.0,
        "unattended_w": 60.0,
        "power_w": 400.0,
    }
    key = HeaterKey("attic", name)
    return HeaterSeen(key=key, name=name, room=room, **{**defaults, **values})


def test_all_of_a_rig_in_a_room_is_heat_and_nothing_of_one_outdoors() -> None:
    assert indoors([heater(power_w=None)]) == {"attic": 1.0}
    assert indoors([heater(room=None, power_w=None)]) == {"attic": 0.0}


def test_a_rig_with_a_miner_outdoors_is_shared_by_watts() -> None:
    both = [heater(power_w=300.0), heater("s19", room=None, power_w=900.0)]
    assert indoors(both) == {"attic": pytest.approx(0.25)}


@pytest.mark.parametrize("outdoors_w", [None, 0.0])
def test_without_watts_nobody_knows_the_share(outdoors_w: float | None) -> None:
    both = [heater(power_w=0.0), heater("s19", room=None, power_w=outdoors_w)]
    assert indoors(both) == {"attic": None}


def price(value: float | None) -> dict[HeaterKey, Price]:
    """Return the prices of the rig's heater."""
    return {HeaterKey("attic", "machine"): Price(value, None, None)}


def test_watts_that_only_idle_earn_nothing_and_those_that_work_what_work_is_worth() -> None:
    assert earned([heater()], price(0.2)) == {"attic": 0.0}
    assert earned([heater(hashing=True)], price(0.2)) == {"attic": 0.2}
    assert earned([heater(questions=1)], price(0.2)) == {"attic": 0.2}
    assert earned([heater(hashing=True)], price(None)) == {"attic": None}
    assert earned([heater(hashing=True)], {}) == {"attic": None}


def rig(*devices: tuple[DeviceKind, Activity, float | None]) -> Rig:
    """Return a live rig with these devices: kind, activity, hash rate in MH/s."""
    uids = [f"device-{number}" for number in range(len(devices))]
    said = dict(zip(uids, devices, strict=True))
    return Rig(
        "attic",
        inventory=Inventory(
            boot_id="b",
            protocol=1,
            min_protocol=1,
            version="1",
            name="Attic",
            devices=tuple(
                Device(uid=uid, kind=kind, name=uid) for uid, (kind, _, _) in said.items()
            ),
        ),
        state=RigState(boot_id="b", tick=10.0, activity=Activity.HASHING),
        readings=MappingProxyType(
            {
                uid: Reading(DeviceState(boot_id="b", activity=doing, hash_rate_mhs=rate), 9.0)
                for uid, (_, doing, rate) in said.items()
            }
        ),
        online=True,
    )


ASIC, GPU = DeviceKind.ASIC, DeviceKind.GPU


def test_only_miners_that_hash_count_and_a_gpu_hashes_for_other_coins() -> None:
    found = rig(
        (ASIC, Activity.HASHING, 104e6), (ASIC, Activity.OFF, None), (GPU, Activity.HASHING, 120.0)
    )
    assert hash_rate_ths([found]) == pytest.approx(104.0)
    assert hash_rate_ths([]) == 0.0
    assert hash_rate_ths([rig((ASIC, Activity.HASHING, None))]) is None
