"""The machine fails: GPUs, driver, disk, wall clock, powerd. The bridge goes on and says so."""

import asyncio
import itertools
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.bridge.processes import until
from tests.chaos.scene import HEATING_W, RESTING_W, Figure, Scene, scene
from tests.simulators.wall_clock import WallClock

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SAFE_S = 10.0
#: A heartbeat is due every 5 s, whatever a device does.
HEARTBEAT_S = 8.0
SAFE_LIMIT_W = 150.0


def silences(on: Scene, since: float) -> float:
    """Return the longest time between two heartbeats since `since`, in seconds."""
    heard = [since, *(word.at for word in on.witness.of("state", since=since))]
    return max(later - sooner for sooner, later in itertools.pairwise(heard))


async def test_a_gpu_that_is_lost_hides_no_other_and_comes_back(
    tmp_path: Path, fake_nvml: Path, figure: Figure
) -> None:
    async with scene(tmp_path, fake_nvml, figure, gpus=2) as on:
        await on.heat(above_w=100.0)
        lost, well = on.rig.gpus.uuids[1], on.rig.gpus.uuids[0]
        on.rig.gpus.set(1, lost=True)
        await on.until_state(lambda now: any(fault.uid == lost for fault in now.faults))
        state = await on.until_state(lambda now: now.activity == "hashing")
        assert not any(fault.uid == well for fault in state.faults)
        await on.meter.above(100.0)
        on.rig.gpus.set(1, lost=False)
        await on.until_state(lambda now: not any(fault.uid == lost for fault in now.faults))


async def test_a_driver_that_hangs_stalls_no_heartbeat_and_no_answer(
    tmp_path: Path, fake_nvml: Path, figure: Figure, long: bool
) -> None:
    async with scene(tmp_path, fake_nvml, figure, device="timeout_s = 1.0") as on:
        await on.heat()
        hung = time.monotonic()
        on.rig.gpus.set(0, hang_s=30.0 if long else 8.0)
        await on.until_state(lambda now: any(one.code == "driver_wedged" for one in now.faults))
        asked = time.monotonic()
        assert await on.home.ask("lease", power_w=300.0) == "accepted"
        assert time.monotonic() - asked < 2.0
        on.rig.gpus.set(0, hang_s=0.0)
        await on.until_state(lambda now: not now.faults)
        figure("heartbeat_gap_s_max", gap_s := silences(on, hung))
        assert gap_s < HEARTBEAT_S


async def test_a_disk_that_takes_no_more_stops_nothing(
    tmp_path: Path, fake_nvml: Path, figure: Figure
) -> None:
    async with scene(tmp_path, fake_nvml, figure) as on:
        await on.heat()
        assert on.rig.process is not None
        # Every file that it writes, its log too, ends at one byte, as on a disk that is full.
        resource.prlimit(on.rig.process.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
        assert await on.home.ask("stop_all") == "accepted"
        stopped = time.monotonic()
        assert await on.meter.below(RESTING_W, stopped) <= SAFE_S
        state = await on.until_state(lambda now: bool(now.faults))
        assert any("cannot be written" in fault.text for fault in state.faults)
        most = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(on.rig.process.pid, resource.RLIMIT_FSIZE, most)
        assert await on.home.ask("stop_all", engaged=False) == "accepted"
        assert await on.home.ask("lease", power_w=400.0) == "accepted"
        await on.until_state(lambda now: not now.faults)


@pytest.mark.parametrize("at_start", ["right", "1970"])
async def test_a_wall_clock_that_jumps_moves_no_lease_and_no_energy(
    tmp_path: Path, fake_nvml: Path, figure: Figure, at_start: str
) -> None:
    async with scene(tmp_path, fake_nvml, figure) as on:
        clock = WallClock(tmp_path)
        on.rig.environment = clock.environment
        if at_start == "1970":
            clock.as_without_battery()
        await on.heat()
        before = on.home.state
        assert before is not None
        started = time.monotonic()
        for ahead_s in (7200, -7200, 0):
            clock.ahead(ahead_s)
            on.home.forget()
            state = await on.until_state(lambda now: now.heaters[0].lease is not None)
            assert on.meter.power_w > HEATING_W
            assert await on.home.ask("lease", power_w=400.0) == "accepted"
        passed_s = time.monotonic() - started
        assert state.boot_id == before.boot_id
        assert state.tick - before.tick < passed_s + 10.0
        most_kwh = 500.0 * (passed_s + 10.0) / 3_600_000
        assert (state.energy_kwh or 0.0) - (before.energy_kwh or 0.0) < most_kwh


class Powerd:
    """powerd as root beside a bridge that may set no limits itself."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "powerd.sock"
        self._file = folder / "powerd.toml"
        self._file.write_text(
            f'socket = "{self.socket}"\nsafe_limit_w = {SAFE_LIMIT_W}\nmax_limit_w = 300\n'
            "silence_s = 3\nusers = []\n"
        )
        self.process: subprocess.Popen[bytes] | None = None

    async def start(self, environment: dict[str, str]) -> None:
        """Run it until `end`, and wait until it listens."""
        self._start(environment)
        await until(self.socket.exists)

    def _start(self, environment: dict[str, str]) -> None:
        self.socket.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hashcenter_bridge.powerd", "--config", str(self._file)],
            env={**os.environ, **environment},
            stderr=subprocess.DEVNULL,
        )

    def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal and wait for its end."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(timeout=20)


@pytest.mark.skipif(os.geteuid() != 0, reason="powerd runs as root")
async def test_whichever_of_bridge_and_powerd_is_killed_the_limit_is_the_owners_safe_one(
    tmp_path: Path, fake_nvml: Path, figure: Figure
) -> None:
    with TemporaryDirectory(prefix="powerd-") as name:
        helper = Powerd(Path(name))
        device = f'powerd = "{helper.socket}"'
        async with scene(tmp_path, fake_nvml, figure, device=device) as on:
            on.rig.environment = {"FAKE_NVML_UNPRIVILEGED": "1"}
            # Not one of the rig's processes: it is neither started nor ended by the bridge.
            await helper.start(on.rig.gpus.environment)
            try:
                await on.heat()
                assert on.meter.limit_w > SAFE_LIMIT_W
                granted_w = on.meter.limit_w
                helper.end()
                await asyncio.sleep(1.0)
                assert on.meter.limit_w == granted_w  # nobody raised it
                await helper.start(on.rig.gpus.environment)
                await on.meter.above(HEATING_W)

                await on.rig.end(signal.SIGKILL)
                killed = time.monotonic()
                figure("gpu_safe_s_max", safe_s := await on.meter.below(RESTING_W, killed))
                assert safe_s <= SAFE_S
                limit_s = await on.meter.until(
                    lambda _drawn_w, limit_w: limit_w <= SAFE_LIMIT_W, killed
                )
                figure("gpu_safe_s_max", limit_s)
                assert limit_s <= SAFE_S
            finally:
                helper.end()
