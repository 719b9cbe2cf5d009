"""The processor as a device, on a copy of the few files it is read from."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from hashcenter_bridge.devices import Sample
from hashcenter_bridge.devices.cpu import Plugin
from hashcenter_bridge.errors import DeviceFault, PluginUnavailable
from hashcenter_bridge.plugin import PluginContext
from hashcenter_bridge.wire.messages import Device
from hashcenter_bridge.wire.values import PowerSource

RANGE_UJ = 262_143_328_850


class Machine:
    """A root folder, and a clock that stands still until told."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.now_s = 1000.0
        self._busy, self._idle = 5000, 5000
        self.write("etc/machine-id", "0123456789abcdef0123456789abcdef\n")
        self.write("proc/cpuinfo", "processor : 0\nmodel name\t: AMD Ryzen 5 5600\n")
        self.work(0, 0)

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def work(self, busy_ticks: int, idle_ticks: int) -> None:
        """Let ticks pass; half of the idle ones wait for a disk."""
        self._busy += busy_ticks
        self._idle += idle_ticks
        waiting = self._idle // 2
        line = f"cpu {self._busy} 0 0 {self._idle - waiting} {waiting} 0 0 0 0 0"
        self.write("proc/stat", f"{line}\ncpu0 1 2 3 4 5 6 7 8 0 0\n")

    def package(self, number: int, energy_uj: int, name: str = "") -> None:
        zone = f"sys/class/powercap/intel-rapl:{number}"
        self.write(f"{zone}/name", f"{name or f'package-{number}'}\n")
        self.write(f"{zone}/energy_uj", f"{energy_uj}\n")
        self.write(f"{zone}/max_energy_range_uj", f"{RANGE_UJ}\n")

    def plugin(self, **settings: float) -> Plugin:
        return Plugin(
            Plugin.Config(plugin="cpu", **settings),
            PluginContext(self.root / "state", self.root / "run"),
            lambda: self.now_s,
            self.root,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


async def probed(plugin: Plugin) -> Device:
    (device,) = await plugin.probe()
    return device


async def look(plugin: Plugin) -> Sample:
    (sample,) = (await plugin.read()).values()
    assert isinstance(sample, Sample)
    return sample


async def test_energy_counters_become_watts(machine: Machine) -> None:
    machine.package(0, 10_000_000)
    machine.package(1, 500_000)
    machine.package(2, 77_000_000, name="psys")
    plugin = machine.plugin()
    device = await probed(plugin)
    machine.now_s += 2
    machine.package(0, 10_000_000 + 130_000_000)
    machine.package(1, 500_000 + 50_000_000)
    machine.package(2, 999_000_000, name="psys")
    sample = await look(plugin)
    assert device.model == "AMD Ryzen 5 5600"
    assert device.capabilities.power_source is PowerSource.MEASURED
    assert sample.readings.power_w == 90
    assert sample.energy_counter_j == pytest.approx(190.5)


async def test_a_counter_that_wraps_goes_on(machine: Machine) -> None:
    machine.package(0, RANGE_UJ - 20_000_000)
    plugin = machine.plugin()
    await probed(plugin)
    before_j = (await look(plugin)).energy_counter_j
    machine.now_s += 1
    machine.package(0, 30_000_000)
    sample = await look(plugin)
    assert before_j is not None
    assert sample.readings.power_w == 50
    assert sample.energy_counter_j == pytest.approx(before_j + 50)


async def test_a_counter_that_fails_leaves_the_watts_absent_with_a_reason(machine: Machine) -> None:
    machine.package(0, 1)
    plugin = machine.plugin()
    await probed(plugin)
    machine.now_s += 2
    machine.write("sys/class/powercap/intel-rapl:0/energy_uj", "")
    sample = await look(plugin)
    assert sample.readings.power_w is None
    assert "energy counter" in sample.readings.missing["power_w"]
    assert sample.energy_counter_j is None


async def test_without_counters_the_watts_are_the_owners_estimate_and_say_so(
    machine: Machine,
) -> None:
    plugin = machine.plugin(idle_w=20, max_w=120)
    device = await probed(plugin)
    machine.work(30, 70)
    sample = await look(plugin)
    assert device.capabilities.power_source is PowerSource.ESTIMATED
    assert device.capabilities.idle_w == 20
    assert sample.readings.utilization_percent == 30
    assert sample.readings.power_w == 50
    assert sample.energy_counter_j is None


async def test_without_counters_and_estimate_the_watts_are_unknown(machine: Machine) -> None:
    plugin = machine.plugin()
    device = await probed(plugin)
    machine.work(10, 90)
    sample = await look(plugin)
    assert device.capabilities.power_source is PowerSource.NONE
    assert device.capabilities.readings == ("utilization_percent",)
    assert sample.readings.power_w is None


async def test_watts_need_time_to_pass(machine: Machine) -> None:
    machine.package(0, 5)
    plugin = machine.plugin()
    await probed(plugin)
    readings = (await look(plugin)).readings
    assert readings.power_w is None
    assert readings.utilization_percent is None
    assert set(readings.missing) == {"power_w", "utilization_percent"}


async def test_the_hottest_package_is_the_temperature(machine: Machine) -> None:
    for number, (name, temperature) in enumerate(
        [("nvme", 71_000), ("coretemp", 48_000), ("coretemp", 53_500)]
    ):
        machine.write(f"sys/class/hwmon/hwmon{number}/name", f"{name}\n")
        machine.write(f"sys/class/hwmon/hwmon{number}/temp1_input", f"{temperature}\n")
    plugin = machine.plugin()
    device = await probed(plugin)
    assert (await look(plugin)).readings.temp_c == 53.5
    assert "temp_c" in device.capabilities.readings


async def test_the_uid_stays_and_is_another_for_another_bridge(machine: Machine) -> None:
    first = await probed(machine.plugin())
    assert (await probed(machine.plugin())).uid == first.uid
    other = Plugin(
        Plugin.Config(plugin="cpu"),
        PluginContext(machine.root / "other", machine.root),
        lambda: 0.0,
        machine.root,
    )
    assert (await probed(other)).uid != first.uid


async def test_a_system_without_proc_is_one_sentence(tmp_path: Path) -> None:
    plugin = Plugin(
        Plugin.Config(plugin="cpu"), PluginContext(tmp_path, tmp_path), lambda: 0.0, tmp_path
    )
    with pytest.raises(PluginUnavailable, match="/proc/stat"):
        await plugin.probe()


async def test_a_processor_that_cannot_be_read_is_a_fault(machine: Machine) -> None:
    plugin = machine.plugin()
    device = await probed(plugin)
    machine.write("proc/stat", "nonsense\n")
    assert isinstance((await plugin.read())[device.uid], DeviceFault)


async def test_a_processor_takes_no_orders(machine: Machine) -> None:
    plugin = machine.plugin()
    device = await probed(plugin)
    with pytest.raises(DeviceFault, match="no power limit"):
        await plugin.set_power_limit(device.uid, 50)
    with pytest.raises(DeviceFault, match="restarts with its machine"):
        await plugin.restart(device.uid)


@pytest.mark.parametrize(
    "settings", [{"idle_w": 20}, {"max_w": 100}, {"idle_w": 100, "max_w": 100}, {"watts": 5}]
)
def test_a_wrong_estimate_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Plugin.Config.model_validate({"plugin": "cpu", **settings})


async def test_it_tells_what_it_draws_at_most_by_the_limits_of_its_packages(
    machine: Machine,
) -> None:
    machine.package(0, 1)
    machine.package(1, 1)
    (device,) = await machine.plugin().probe()
    assert device.capabilities.nominal_w is None
    for number, limits in enumerate(((65, 142), (65, 4095))):
        for index, watts in enumerate(limits):
            zone = f"sys/class/powercap/intel-rapl:{number}"
            machine.write(f"{zone}/constraint_{index}_power_limit_uw", f"{watts * 1_000_000}\n")
    (device,) = await machine.plugin().probe()
    assert device.capabilities.nominal_w == 142 + 65, "a board without a limit writes 4095 W"
    (device,) = await machine.plugin(idle_w=15.0, max_w=180.0).probe()
    assert device.capabilities.nominal_w == 180.0
