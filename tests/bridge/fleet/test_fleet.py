"""ASICs beside a machine: each its own heater, in the rig's words, kept over a restart."""

import json
from pathlib import Path
from typing import Any, cast

import pytest

from hashcenter_bridge.errors import DeviceFault
from hashcenter_bridge.fleet.gauge import Gauge
from hashcenter_bridge.wire.messages import ReleaseRequest, RestartDeviceRequest, StopAllRequest
from hashcenter_bridge.wire.values import Activity, Effect, LeasePhase, PowerSource
from tests.bridge.fleet.scripted import CAN, MAC, POOLS, Machine, Network, block, maker
from tests.bridge.rigs import Bench, Devices

HEATER = "asic-02-00-00-00-00-01"


class House(Bench):
    """A bench whose ASICs are on a scripted network."""

    def __init__(self, folder: Path, network: Network, **rules: Any) -> None:
        super().__init__(folder, **rules)
        self.network = network
        for address in network:
            self.add(address)

    def add(self, address: str, **keys: Any) -> None:
        self.asics.append((maker(self.network), block(address, interval_s=10.0, **keys)))

    def heater(self, heater: str = HEATER) -> Any:
        heaters = {one.id: one for one in self.line.last("state").heaters}
        return heaters[heater]

    def device(self, uid: str = MAC) -> Any:
        return next(one.message for one in reversed(self.line.said) if one.uid == uid)

    def events(self) -> list[str]:
        return [event.code for event in self.line.of("event")]

    def faults(self) -> list[str]:
        return [fault.code for fault in self.line.last("state").faults]

    async def heat(self, power_w: float, seconds: int, heater: str = HEATER, **more: Any) -> None:
        """Renew a lease every minute."""
        for second in range(seconds):
            if second % 60 == 0:
                assert self.ask(heater=heater, power_w=power_w, **more) == "accepted"
            await self.step()


@pytest.fixture
async def house(tmp_path: Path) -> House:
    made = House(tmp_path, {"10.0.0.1": Machine()})
    await made.start()
    await made.steps(2)
    return made


async def test_an_asic_is_a_heater_and_a_device_of_its_own(house: House) -> None:
    inventory = house.line.last("inventory")
    machine, asic = inventory.heaters
    assert machine.id == "attic"
    assert asic.id == HEATER
    assert asic.devices == (MAC,)
    assert (asic.min_w, asic.max_w, asic.unattended_w) == (1000.0, 3000.0, 3000.0)
    assert (asic.starts_per_day, asic.can_hash) == (6, True)
    device = inventory.devices[-1]
    assert (device.uid, device.kind, device.mac) == (MAC, "asic", MAC)
    assert {"power_limit_w", "pool_connected", "energy_kwh"} <= set(device.capabilities.readings)
    said = house.device()
    assert (said.activity, said.power_w, said.power_limit_w) == (Activity.HASHING, 3000.0, 3000.0)


async def test_what_runs_at_the_start_is_kept(house: House) -> None:
    await house.steps(100)
    assert house.network["10.0.0.1"].said == []
    assert "just started" in house.heater().reason


async def test_each_heater_follows_its_own_lease(house: House) -> None:
    await house.heat(2000.0, 90)
    assert house.network["10.0.0.1"].said == ["set 2000.0"]
    heater = house.heater()
    assert (heater.target_w, heater.effect, heater.power_w) == (2000.0, Effect.REACHED, 2000.0)
    assert heater.lease.phase is LeasePhase.ACTIVE
    assert house.heater("attic").lease is None
    assert house.device().effect is Effect.REACHED


async def test_a_released_one_goes_to_its_owners_safe_state(house: House) -> None:
    await house.heat(2000.0, 60)
    assert house.ask(ReleaseRequest, heater=HEATER) == "accepted"
    await house.steps(5)
    assert house.network["10.0.0.1"].said[-1] == "pause"


async def test_stop_all_reaches_every_asic_and_ends_its_lease(house: House) -> None:
    await house.heat(2000.0, 60)
    assert house.ask(StopAllRequest, engaged=True) == "accepted"
    await house.step()
    await house.step()
    assert not house.network["10.0.0.1"].hashes
    assert house.heater().lease is None
    assert house.heater().available_why == "stopped by a person: Stop all"
    house.ask(StopAllRequest, engaged=False)
    await house.steps(30)
    assert not house.network["10.0.0.1"].hashes


async def test_the_rigs_watts_energy_hashes_and_shares_are_all_of_them(house: House) -> None:
    state = house.line.last("state")
    assert state.power_w == pytest.approx(3000.0 + house.heater("attic").power_w)
    assert state.hash_rate_mhs == pytest.approx(1e8)
    assert state.hashing_w == 3000.0
    before = state.energy_kwh
    house.network["10.0.0.1"].shares += 7
    await house.steps(61)
    after = house.line.last("state")
    assert after.energy_kwh - before == pytest.approx(3020.0 * 60 / 3.6e6, rel=0.25)
    assert after.shares_accepted_total == 7
    assert house.device().energy_kwh == pytest.approx(3000.0 * 60 / 3.6e6, rel=0.25)


async def test_a_silent_one_is_unknown_and_never_zero(house: House) -> None:
    house.network["10.0.0.1"].fault = DeviceFault("unreachable", "10.0.0.1 does not answer")
    await house.steps(15)
    assert house.device().power_w == 3000.0
    await house.steps(30)
    said = house.device()
    assert (said.power_w, said.activity) == (None, Activity.FAULT)
    assert said.missing["power_w"] == "10.0.0.1 does not answer"
    assert said.energy_kwh is not None
    assert house.heater().available_w == 0.0
    assert house.line.last("state").power_w == house.heater("attic").power_w
    assert "unreachable" in house.faults()
    house.network["10.0.0.1"].fault = None
    await house.steps(70)
    assert house.device().power_w == 3000.0
    assert house.faults() == []


async def test_a_lost_pool_is_a_fault_and_nothing_to_ask_for(house: House) -> None:
    await house.heat(2000.0, 60)
    lost = POOLS[0].__class__(POOLS[0].url, POOLS[0].worker, active=True, connected=False)
    house.network["10.0.0.1"].pools = (lost, POOLS[1])
    await house.heat(2000.0, 12)
    assert house.heater().available_w == 0.0
    assert house.faults() == ["pool_lost"]


async def test_a_changed_worker_is_a_fault_until_it_is_adopted(house: House) -> None:
    thief = POOLS[0].__class__(POOLS[0].url, "bc1qthief.x", active=True, connected=True)
    house.network["10.0.0.1"].pools = (thief, POOLS[1])
    await house.steps(12)
    assert house.faults() == ["pool_changed"]
    text = house.line.last("state").faults[0].text
    assert "another worker" in text
    assert "thief" not in text
    assert "wallet" not in text
    assert house.rig.fleet.adopt(MAC) == ["Antminer S19"]
    await house.steps(2)
    assert house.faults() == []


async def test_a_fail_over_inside_its_list_is_no_fault(house: House) -> None:
    first, second = POOLS
    turned = (
        first.__class__(first.url, first.worker),
        second.__class__(second.url, second.worker, active=True, connected=True),
    )
    house.network["10.0.0.1"].pools = turned
    await house.steps(12)
    assert house.faults() == []
    house.network["10.0.0.1"].pools = ()
    await house.steps(12)
    assert house.faults() == []


async def test_a_bridge_that_starts_again_knows_its_starts_and_its_pools(house: House) -> None:
    await house.heat(0.0, 60)
    house.now += 700.0
    await house.heat(1500.0, 60)
    assert house.heater().starts_left == 5
    await house.start()
    house.network["10.0.0.1"].pools = (POOLS[1],)
    await house.steps(3)
    assert house.heater().starts_left == 5
    assert house.faults() == ["pool_changed"]


async def test_two_do_not_start_at_once(tmp_path: Path) -> None:
    network = {f"10.0.0.{n}": Machine(mac=f"02:00:00:00:00:0{n}", hashes=False) for n in (1, 2, 3)}
    house = House(tmp_path, network)
    await house.start()
    await house.step()
    for n in (1, 2, 3):
        house.ask(heater=f"asic-02-00-00-00-00-0{n}", power_w=3000.0)
    started = []
    for _ in range(30):
        await house.step()
        started.append(sum(machine.hashes for machine in network.values()))
    assert started[1] == 1
    assert started[6] == 1
    assert started[-1] == 3


async def test_a_rig_without_a_gpu_has_no_machine_heater(tmp_path: Path) -> None:
    house = House(tmp_path, {"10.0.0.1": Machine()})
    house.devices = Devices()
    house.devices.devices = []
    house.devices.samples = {}
    await house.start()
    await house.steps(3)
    assert [one.id for one in house.line.last("inventory").heaters] == [HEATER]
    state = house.line.last("state")
    assert [one.id for one in state.heaters] == [HEATER]
    assert state.power_w == 3000.0
    assert house.ask(power_w=100.0) == "unknown_heater"


async def test_a_machine_that_never_answered_is_named(tmp_path: Path) -> None:
    house = House(tmp_path, {"10.0.0.1": Machine()})
    house.add("10.0.0.66")
    await house.start()
    await house.steps(70)
    assert house.faults() == ["asic_unreachable"]
    assert "10.0.0.66" in house.line.last("state").faults[0].text


async def test_one_machine_at_two_addresses_is_driven_once(tmp_path: Path) -> None:
    machine = Machine()
    house = House(tmp_path, {"10.0.0.1": machine, "10.0.0.2": machine})
    await house.start()
    await house.steps(3)
    assert len(house.line.last("inventory").devices) == 2
    assert house.faults() == ["duplicate"]


async def test_after_addresses_moved_no_machine_is_taken_for_another(tmp_path: Path) -> None:
    one, two = Machine(), Machine(mac="02:00:00:00:00:02")
    house = House(tmp_path, {"10.0.0.1": one, "10.0.0.2": two})
    await house.start()
    await house.steps(2)
    house.network.update({"10.0.0.1": two, "10.0.0.2": one})
    await house.start()
    await house.steps(70)
    assert one.reads + two.reads == 2
    faults = house.line.last("state").faults
    assert [(fault.code, fault.uid) for fault in faults] == [
        ("other_device", one.mac),
        ("other_device", two.mac),
    ]
    assert "write its mac into the block" in faults[0].text
    assert all(one.available_w == 0.0 for one in house.line.last("state").heaters[1:])


async def test_one_that_is_off_when_the_bridge_starts_stays_part_of_the_rig(house: House) -> None:
    await house.heat(0.0, 60)
    machine = house.network.pop("10.0.0.1")
    house.line.said.clear()
    await house.start()
    await house.steps(50)
    assert house.line.of("inventory")[0].heaters[-1].id == HEATER
    assert house.line.last("inventory").heaters[-1].unattended_w == 3000.0
    assert (house.device().power_w, house.device().activity) == (None, Activity.FAULT)
    assert house.heater().available_why.startswith("silent")
    assert house.ask(heater=HEATER, power_w=0.0) == "accepted"
    await house.steps(30)
    machine.hashes = True
    house.network["10.0.0.1"] = machine
    await house.heat(0.0, 70)
    assert not machine.hashes, "it is paused although nobody had seen it run"
    assert house.heater().hold_s is None


async def test_a_restart_that_is_asked_for_wears_and_is_nobodys_hand(house: House) -> None:
    await house.heat(2000.0, 60)
    house.ask(RestartDeviceRequest, uid=MAC)
    house.network["10.0.0.1"].setting = 3000.0
    await house.heat(2000.0, 60)
    assert house.network["10.0.0.1"].setting == 2000.0
    assert house.heater().starts_left == 5


async def test_it_can_be_rebooted_by_the_house(house: House) -> None:
    assert house.ask(RestartDeviceRequest, uid=MAC) == "accepted"
    await house.steps(2)
    assert house.network["10.0.0.1"].said == ["restart"]


async def test_nothing_that_is_kept_or_said_names_a_worker_but_the_private_file(
    house: House, tmp_path: Path
) -> None:
    await house.heat(2000.0, 60)
    said = "".join(one.message.model_dump_json() for one in house.line.said)
    assert "wallet" not in said
    house.rig.store.save()
    kept = json.loads((tmp_path / "state.json").read_text())
    assert kept["asics"][MAC]["pools"][0][1] == "bc1qwallet.attic"
    assert (tmp_path / "state.json").stat().st_mode & 0o077 == 0


async def test_the_knobs_watts_are_learned_and_told_without_flicker(house: House) -> None:
    house.network["10.0.0.1"].ratio = 1.04
    await house.heat(3000.0, 600)
    inventories = house.line.of("inventory")
    told = {one.heaters[-1].max_w for one in inventories}
    assert 1 < len(told) <= 2


class Truth:
    """A meter that says what a test says."""

    fault: str | None = None

    def __init__(self, watts: float | None) -> None:
        self.watts = watts

    def power_w(self, _now: float) -> float | None:
        return self.watts


async def test_a_named_meter_is_the_truth_and_a_lasting_difference_is_said(tmp_path: Path) -> None:
    house = House(tmp_path, {"10.0.0.1": Machine()})
    can = CAN.model_copy(update={"power_source": PowerSource.ESTIMATED})
    house.network["10.0.0.1"].can = can
    await house.start()
    meter = Truth(3600.0)
    house.rig.fleet.stations[0].gauge = cast("Gauge", meter)
    await house.steps(30)
    said = house.device()
    assert (said.power_w, said.reported_power_w) == (3600.0, 3000.0)
    described = house.line.last("inventory").devices[-1].capabilities
    assert described.power_source == "measured"
    assert "reported_power_w" in described.readings
    assert house.heater().power_w == 3600.0
    assert house.faults() == []
    await house.steps(320)
    assert house.faults() == ["meter_disagrees"]
    assert "says 3000 W, its meter 3600 W" in house.line.last("state").faults[0].text
    meter.watts = 3050.0
    await house.steps(30)
    assert house.faults() == []


async def test_a_dead_meter_leaves_the_machines_own_word(tmp_path: Path) -> None:
    house = House(tmp_path, {"10.0.0.1": Machine()})
    await house.start()
    meter = Truth(None)
    meter.fault = "the meter at 10.0.0.40 cannot be read: it does not answer"
    house.rig.fleet.stations[0].gauge = cast("Gauge", meter)
    await house.steps(30)
    assert house.device().power_w == 3000.0
    assert house.faults() == ["meter_unreadable"]


async def test_what_it_refused_is_a_fault_until_it_stands_as_it_should(house: House) -> None:
    machine = house.network["10.0.0.1"]
    machine.refuses = DeviceFault("refused", "10.0.0.1 says no")
    await house.heat(0.0, 5)
    assert house.faults() == ["not_set_refused"]
    machine.refuses = None
    await house.heat(0.0, 10)
    assert not machine.hashes
    assert house.faults() == []
