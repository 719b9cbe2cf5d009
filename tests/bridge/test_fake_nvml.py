"""The fake NVML library, driven by the unmodified nvidia-ml-py in child processes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.simulators.fake_nvml import (
    RTX_3090,
    RTX_A4000,
    TESLA_P40,
    BuildError,
    Driver,
    FakeGpus,
    Gpu,
    build,
)

DEADLINE_S = 60
PRELUDE = """
import json, os, sys, time
from pynvml import *
nvmlInit()
gpu = nvmlDeviceGetHandleByIndex(0)
def field(number, of=None):
    value = nvmlDeviceGetFieldValues(of or gpu, [number])[0]
    if value.nvmlReturn != 0:
        raise NVMLError(value.nvmlReturn)
    kinds = {1: "uiVal", 3: "ullVal", 5: "siVal"}
    return getattr(value.value, kinds[value.valueType])
def error_of(function, *arguments):
    try:
        return f"no error: {function(*arguments)}"
    except NVMLError as err:
        return type(err).__name__
def wait_until(reached):
    end = time.monotonic() + 50
    while not reached() and time.monotonic() < end:
        time.sleep(0.05)
def say(value):
    print(json.dumps(value), flush=True)
def heard():
    return sys.stdin.readline().strip()
"""
BUSY = "while True: sum(range(10000))"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("library"))


@pytest.fixture
def one(tmp_path: Path, library: Path) -> FakeGpus:
    return FakeGpus(tmp_path, [RTX_3090], library=library)


@contextmanager
def program(gpus: FakeGpus, script: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, **gpus.environment, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


def tell(process: subprocess.Popen[str], word: str = "go") -> None:
    assert process.stdin is not None
    process.stdin.write(f"{word}\n")
    process.stdin.flush()


def ask(gpus: FakeGpus, script: str) -> Any:
    """Run `script` after PRELUDE in a process of its own; return what it says."""
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + script],
        env={**os.environ, **gpus.environment},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_cards_answer_what_their_kind_answers(tmp_path: Path, library: Path) -> None:
    gpus = FakeGpus(tmp_path, [RTX_3090, TESLA_P40, RTX_A4000], library=library)
    cards = ask(
        gpus,
        """
cards = [nvmlDeviceGetHandleByIndex(i) for i in range(nvmlDeviceGetCount())]
say([[
    nvmlDeviceGetName(c), nvmlDeviceGetUUID(c), nvmlDeviceGetMemoryInfo(c).total >> 20,
    nvmlDeviceGetPowerManagementLimitConstraints(c), nvmlDeviceGetPowerUsage(c),
    error_of(nvmlDeviceGetSerial, c), error_of(nvmlDeviceGetTotalEnergyConsumption, c),
    error_of(field, NVML_FI_DEV_POWER_AVERAGE, c), error_of(nvmlDeviceGetFanSpeed, c),
] for c in cards])
""",
    )
    rtx, p40, a4000 = cards
    assert rtx[:5] == [RTX_3090.name, gpus.uuids[0], 24576, [100000, 350000], 22000]
    assert p40[:5] == [TESLA_P40.name, gpus.uuids[1], 24576, [125000, 250000], 9000]
    assert a4000[:5] == [RTX_A4000.name, gpus.uuids[2], 16376, [100000, 140000], 15000]
    assert rtx[5] == "NVMLError_NotSupported"
    assert p40[5] == f"no error: {TESLA_P40.serial}"
    assert rtx[6].startswith("no error")
    assert p40[6:] == ["NVMLError_NotSupported"] * 3


def test_the_energy_counter_integrates_the_power(one: FakeGpus) -> None:
    one.set(0, load=1.0)
    counted_j, integrated_j, largest_gap_s = ask(
        one,
        """
def look():
    return time.monotonic(), field(186) / 1000, field(191) / 1000
looks = [look()]
while looks[-1][0] < looks[0][0] + 3:
    time.sleep(0.02)
    looks.append(look())
pairs = list(zip(looks, looks[1:]))
say([looks[-1][2] - looks[0][2], sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairs),
     max(b[0] - a[0] for a, b in pairs)])
""",
    )
    ramp_w = RTX_3090.max_w - RTX_3090.idle_w  # what a gap in the looks can hide while power rises
    assert counted_j == pytest.approx(integrated_j, abs=0.02 * counted_j + ramp_w * largest_gap_s)
    assert counted_j > 500


def test_a_lower_limit_is_followed_and_shows_as_power_cap(one: FakeGpus) -> None:
    one.set(0, load=1.0)
    power_w, shown_w, reasons, capped_ns, clock, full_clock = ask(
        one,
        """
wait_until(lambda: field(186) > 345000)
full_clock = nvmlDeviceGetClockInfo(gpu, NVML_CLOCK_SM)
nvmlDeviceSetPowerManagementLimit(gpu, 200000)
wait_until(lambda: field(186) < 201000)
wait_until(lambda: field(74) > 0)
say([field(186) / 1000, nvmlDeviceGetEnforcedPowerLimit(gpu) / 1000,
     nvmlDeviceGetCurrentClocksEventReasons(gpu), field(74),
     nvmlDeviceGetClockInfo(gpu, NVML_CLOCK_SM), full_clock])
""",
    )
    assert power_w == pytest.approx(200, abs=1)
    assert shown_w == 200
    assert reasons == 0x4
    assert capped_ns > 0
    assert clock < full_clock


@pytest.mark.parametrize("watts", [99, 351, 0])
def test_a_limit_out_of_range_is_refused(one: FakeGpus, watts: int) -> None:
    script = f"""
refused = error_of(nvmlDeviceSetPowerManagementLimit, gpu, {watts * 1000})
say([refused, nvmlDeviceGetPowerManagementLimit(gpu)])
"""
    assert ask(one, script) == ["NVMLError_InvalidArgument", 350000]


def test_a_limit_without_permission_is_refused(one: FakeGpus) -> None:
    one.set(0, limit_permission=False)
    script = "say(error_of(nvmlDeviceSetPowerManagementLimit, gpu, 200000))"
    assert ask(one, script) == "NVMLError_NoPermission"


@pytest.mark.parametrize(("effect", "shown_w"), [("dropped", 350), ("shown_only", 200)])
def test_success_without_effect_leaves_the_watts(
    one: FakeGpus, effect: str, shown_w: float
) -> None:
    one.set(0, load=1.0, limit_effect=effect)
    script = """
nvmlDeviceSetPowerManagementLimit(gpu, 200000)
wait_until(lambda: field(186) > 345000)
say([nvmlDeviceGetEnforcedPowerLimit(gpu) / 1000, field(186) / 1000])
"""
    assert ask(one, script) == [shown_w, pytest.approx(350, abs=5)]


def test_a_hot_card_slows_down_and_counts_the_time(tmp_path: Path, library: Path) -> None:
    hot = Gpu(load=1.0, ambient_c=90, thermal_capacity_j_per_c=20, target_c=93, slowdown_c=94)
    reasons, temp_c, throttled_ns, power_w = ask(
        FakeGpus(tmp_path, [hot], library=library),
        """
wait_until(lambda: field(NVML_FI_DEV_CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN) > 0)
time.sleep(2)
say([nvmlDeviceGetCurrentClocksEventReasons(gpu), nvmlDeviceGetTemperature(gpu, 0),
     field(269) + field(270), field(186) / 1000])
""",
    )
    assert reasons & (0x20 | 0x40)
    assert temp_c < 98
    assert throttled_ns > 0
    assert power_w < 100


def test_metrics_may_be_missing_or_fail_one_by_one(one: FakeGpus) -> None:
    one.set(0, missing="power", failing="temperature memory")
    answers = ask(
        one,
        """
say([error_of(nvmlDeviceGetPowerUsage, gpu), error_of(field, 186), error_of(field, 185),
     error_of(nvmlDeviceGetTemperature, gpu, 0), error_of(nvmlDeviceGetTemperatureV, gpu, 0),
     error_of(nvmlDeviceGetMemoryInfo, gpu), error_of(nvmlDeviceGetName, gpu)])
""",
    )
    assert answers[:3] == ["NVMLError_NotSupported"] * 3
    assert answers[3:6] == ["NVMLError_Unknown"] * 3
    assert answers[6].startswith("no error")


def test_a_lost_card_answers_so_and_comes_back_reset(one: FakeGpus, library: Path) -> None:
    one.set(0, load=1.0)
    script = """
nvmlDeviceSetPowerManagementLimit(gpu, 150000)
wait_until(lambda: field(83) > 100000)
say("running")
heard()
say([error_of(nvmlDeviceGetPowerUsage, gpu), error_of(nvmlDeviceGetHandleByIndex, 0)])
heard()
say([nvmlDeviceGetEnforcedPowerLimit(gpu), field(83) < 100000])
"""
    with program(one, PRELUDE + script) as child:
        assert said(child) == "running"
        one.set(0, lost=True)
        tell(child)
        assert said(child) == ["NVMLError_GpuIsLost"] * 2
        one.set(0, lost=False)
        tell(child)
        assert said(child) == [350000, True]


def test_a_hanging_card_blocks_its_callers_and_no_others(tmp_path: Path, library: Path) -> None:
    gpus = FakeGpus(tmp_path, 2, library=library)
    gpus.set(0, hang_s=3600)
    with program(gpus, PRELUDE + "say('asking'); say(nvmlDeviceGetPowerUsage(gpu))") as child:
        assert said(child) == "asking"
        script = "say(nvmlDeviceGetPowerUsage(nvmlDeviceGetHandleByIndex(1)))"
        assert ask(gpus, script) == 22000
        assert child.poll() is None
        gpus.set(0, hang_s=0)
        assert said(child) == 22000


def test_each_xid_is_one_event_for_those_who_wait(tmp_path: Path, library: Path) -> None:
    gpus = FakeGpus(tmp_path, 2, library=library)
    script = """
events = nvmlEventSetCreate()
for i in range(2):
    nvmlDeviceRegisterEvents(nvmlDeviceGetHandleByIndex(i), nvmlEventTypeXidCriticalError, events)
say(error_of(nvmlEventSetWait_v2, events, 10))
for _ in range(2):
    event = nvmlEventSetWait_v2(events, 50000)
    say([nvmlDeviceGetIndex(event.device), event.eventType, event.eventData])
say(error_of(nvmlEventSetWait_v2, events, 200))
heard()
say(error_of(nvmlEventSetWait_v2, events, 200))
"""
    with program(gpus, PRELUDE + script) as child:
        assert said(child) == "NVMLError_Timeout"
        gpus.set(1, xid=31)
        assert said(child) == [1, 8, 31]
        gpus.set(1, xid=31)
        assert said(child) == [1, 8, 31]
        gpus.set(1, load=0.5)
        assert said(child) == "NVMLError_Timeout"
        gpus.set(0, lost=True)
        tell(child)
        assert said(child) == "NVMLError_GpuIsLost"


def test_an_old_driver_lacks_the_newer_functions_and_fields(tmp_path: Path) -> None:
    gpus = FakeGpus(tmp_path, 1, library=build(tmp_path, "legacy"))
    newer, older, unknown_field = ask(
        gpus,
        """
newer = [
    error_of(nvmlDeviceGetTemperatureV, gpu, 0),
    error_of(nvmlDeviceGetMemoryInfo, gpu, nvmlMemory_v2),
    error_of(nvmlDeviceGetCurrentClocksEventReasons, gpu),
    error_of(nvmlDeviceGetFanSpeedRPM, gpu),
    error_of(nvmlDeviceGetComputeRunningProcesses_v3, gpu),
]
older = [
    error_of(nvmlDeviceGetTemperature, gpu, 0),
    error_of(nvmlDeviceGetMemoryInfo, gpu),
    error_of(nvmlDeviceGetCurrentClocksThrottleReasons, gpu),
    error_of(nvmlDeviceGetPowerUsage, gpu),
    error_of(nvmlDeviceGetComputeRunningProcesses_v2, gpu),
]
say([newer, older, error_of(field, 186)])
""",
    )
    assert newer == ["NVMLError_FunctionNotFound"] * 5
    assert all(answer.startswith("no error") for answer in older)
    assert unknown_field == "NVMLError_InvalidArgument"


@pytest.mark.parametrize(
    ("init_result", "error"),
    [
        ("driver_not_loaded", "NVMLError_DriverNotLoaded"),
        ("version_mismatch", "NVMLError_LibRmVersionMismatch"),
        ("no_permission", "NVMLError_NoPermission"),
    ],
)
def test_a_broken_driver_fails_to_initialize(
    tmp_path: Path, library: Path, init_result: str, error: str
) -> None:
    gpus = FakeGpus(tmp_path, 1, library=library, driver=Driver(init_result=init_result))
    script = PRELUDE.replace("nvmlInit()\ngpu = nvmlDeviceGetHandleByIndex(0)", "")
    with program(gpus, script + "say(error_of(nvmlInit))") as child:
        assert said(child) == error


def test_two_processes_see_the_same_card(one: FakeGpus) -> None:
    script = "say('ready')\nheard()\nsay(nvmlDeviceGetPowerManagementLimit(gpu))"
    with program(one, PRELUDE + script) as child:
        assert said(child) == "ready"
        ask(one, "nvmlDeviceSetPowerManagementLimit(gpu, 180000); say(None)")
        tell(child)
        assert said(child) == 180000


def test_a_killed_caller_leaves_no_lock_behind(one: FakeGpus) -> None:
    for _ in range(5):
        script = "say('calling')\nwhile True: nvmlDeviceGetPowerUsage(gpu)"
        with program(one, PRELUDE + script) as child:
            assert said(child) == "calling"
            time.sleep(0.05)
            child.send_signal(signal.SIGKILL)
            child.wait(DEADLINE_S)
        assert ask(one, "say(nvmlDeviceGetPowerUsage(gpu))") == 22000


def test_watts_follow_the_cpu_time_of_what_runs_on_the_card(tmp_path: Path, library: Path) -> None:
    gpus = FakeGpus(tmp_path, [RTX_3090, RTX_3090], library=library)
    gpus.set(1, full_load_cores=2.0)
    watching = """
gpu = nvmlDeviceGetHandleByIndex(1)
def look():
    return time.monotonic(), nvmlDeviceGetTotalEnergyConsumption(gpu) / 1000
first = look()
say("watching")
pid = int(heard())
while float(open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[11]) < 300:
    time.sleep(0.2); look()
os.kill(pid, 19)
for _ in range(15):
    time.sleep(0.2); last = look()
pids = [process.pid for process in nvmlDeviceGetComputeRunningProcesses(gpu)]
say([last[1] - first[1] - 22 * (last[0] - first[0]), pids,
     nvmlDeviceGetTotalEnergyConsumption(nvmlDeviceGetHandleByIndex(0)) / 1000 / last[1],
     nvmlDeviceGetUtilizationRates(gpu).gpu])
"""
    with program(gpus, PRELUDE + watching) as watcher:
        assert said(watcher) == "watching"
        with program(gpus, BUSY, CUDA_VISIBLE_DEVICES=gpus.uuids[1]) as busy:
            tell(watcher, str(busy.pid))
            above_idle_j, pids, share_of_idle_card, utilization = said(watcher)
            expected_j = cpu_seconds(busy.pid) * (350 - 22) / 2
    assert above_idle_j == pytest.approx(expected_j, rel=0.1)
    assert pids == [busy.pid]
    assert share_of_idle_card < 0.7
    assert utilization == 0


@pytest.mark.parametrize(
    ("visible", "places"),
    [("0", [0]), ("1,0", [0, 1]), ("-1", []), ("", []), ("7", []), ("GPU-", [])],
)
def test_visible_devices_are_read_as_cuda_reads_them(
    tmp_path: Path, library: Path, visible: str, places: list[int]
) -> None:
    gpus = FakeGpus(tmp_path, 2, library=library)
    with program(gpus, "print('0', flush=True)\ninput()", CUDA_VISIBLE_DEVICES=visible) as child:
        said(child)
        users = ask(
            gpus,
            """
cards = [nvmlDeviceGetHandleByIndex(i) for i in range(2)]
say([i for i in range(2) if nvmlDeviceGetComputeRunningProcesses(cards[i])])
""",
        )
    assert users == places


def test_a_card_with_its_memory_held_idles_higher(tmp_path: Path, library: Path) -> None:
    gpus = FakeGpus(tmp_path, [TESLA_P40], library=library)
    gpus.set(0, process_memory_mib=8000.0)
    with program(gpus, "print('0', flush=True)\ninput()", CUDA_VISIBLE_DEVICES="0") as child:
        said(child)
        script = """
wait_until(lambda: field(186) > 49000)
say([field(186) // 1000, nvmlDeviceGetMemoryInfo(gpu).used >> 20])
"""
        assert ask(gpus, script) == [pytest.approx(50, abs=1), 8002]


def test_a_scenario_that_is_not_understood_is_named_and_changes_nothing(one: FakeGpus) -> None:
    ask(one, "say(nvmlDeviceGetPowerUsage(gpu))")
    (one.folder / "scenario.ini").write_text("[gpu 0]\npower = lots\n")
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + "say(nvmlDeviceGetName(gpu))"],
        env={**os.environ, **one.environment},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=True,
    )
    assert json.loads(done.stdout) == RTX_3090.name
    assert "scenario.ini line 2 not understood: power = lots" in done.stderr


def test_a_missing_compiler_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError, match="install gcc"):
        build(tmp_path)
