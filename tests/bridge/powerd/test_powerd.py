"""powerd as a real root process on the fake driver, with the bridge's own plugin at its socket."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from hashcenter_bridge.devices import Sample
from hashcenter_bridge.devices.nvml import Plugin
from hashcenter_bridge.errors import DeviceFault
from hashcenter_bridge.plugin import PluginContext
from hashcenter_bridge.powerd.client import Client
from tests.bridge.processes import until
from tests.simulators.fake_nvml import RTX_3090, FakeGpus

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="powerd runs as root")

SAFE_W = 150.0


@pytest.fixture
def gpus(gpu_folder: Path, fake_nvml: Path, monkeypatch: pytest.MonkeyPatch) -> FakeGpus:
    """One card; this process is an ordinary user's, which sees it and may not set its limit."""
    monkeypatch.setenv("FAKE_NVML_UNPRIVILEGED", "1")
    return FakeGpus(gpu_folder, [RTX_3090], library=fake_nvml)


class Powerd:
    """A running powerd: its process and where it listens."""

    def __init__(self, folder: Path, gpus: FakeGpus, *, users: str = "[]") -> None:
        self.socket = folder / "powerd.sock"
        self._gpus = gpus
        self._file = folder / "powerd.toml"
        self._file.write_text(
            f'socket = "{self.socket}"\nsafe_limit_w = {SAFE_W}\nmax_limit_w = 300\n'
            f"silence_s = 2\nusers = {users}\n"
        )
        self.process: subprocess.Popen[str]

    async def start(self) -> None:
        self._start()
        await until(lambda: self.socket.exists() or self.process.poll() is not None)

    def _start(self) -> None:
        environment = {**os.environ, **self._gpus.environment}
        environment.pop("FAKE_NVML_UNPRIVILEGED")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hashcenter_bridge.powerd", "--config", str(self._file)],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self, number: signal.Signals = signal.SIGTERM) -> str:
        self.process.send_signal(number)
        return self.process.communicate(timeout=20)[1]


@asynccontextmanager
async def powerd(folder: Path, gpus: FakeGpus) -> AsyncIterator[Powerd]:
    running = Powerd(folder, gpus)
    await running.start()
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.end(signal.SIGKILL)


@asynccontextmanager
async def bridge(tmp_path: Path, socket: Path) -> AsyncIterator[tuple[Plugin, str]]:
    context = PluginContext(tmp_path, tmp_path)
    plugin = Plugin(Plugin.Config(plugin="nvml", powerd=socket), context)
    (device,) = await plugin.probe()
    try:
        yield plugin, device.uid
    finally:
        await plugin.close()


async def limit_w(plugin: Plugin, uid: str) -> float:
    sample = (await plugin.read())[uid]
    assert isinstance(sample, Sample), sample
    assert sample.readings.power_limit_w is not None
    return sample.readings.power_limit_w


async def falls_to(watcher: Plugin, uid: str, power_w: float) -> float:
    """Return after how many seconds the limit is `power_w`."""
    start = time.monotonic()
    async with asyncio.timeout(30):
        while await limit_w(watcher, uid) != power_w:
            await asyncio.sleep(0.05)
    return time.monotonic() - start


async def test_a_bridge_without_privileges_sets_limits_and_reads_them_back(
    tmp_path: Path, gpus: FakeGpus
) -> None:
    async with powerd(tmp_path, gpus) as helper, bridge(tmp_path, helper.socket) as (plugin, uid):
        await plugin.set_power_limit(uid, 250.0)
        assert await limit_w(plugin, uid) == 250.0

        await plugin.set_power_limit(uid, 340.0)
        assert await limit_w(plugin, uid) == 300.0  # the owner's most


async def test_limits_hold_as_long_as_the_bridge_reads(tmp_path: Path, gpus: FakeGpus) -> None:
    async with powerd(tmp_path, gpus) as helper, bridge(tmp_path, helper.socket) as (plugin, uid):
        await plugin.set_power_limit(uid, 250.0)
        for _ in range(10):
            assert await limit_w(plugin, uid) == 250.0
            await asyncio.sleep(0.4)


async def test_limits_fall_when_the_bridge_hangs(tmp_path: Path, gpus: FakeGpus) -> None:
    async with powerd(tmp_path, gpus) as helper, bridge(tmp_path, helper.socket) as (plugin, uid):
        await plugin.set_power_limit(uid, 250.0)
        # The bridge reads no more; somebody else looks.
        watcher = Plugin(Plugin.Config(plugin="nvml"), PluginContext(tmp_path, tmp_path))
        await watcher.probe()

        after_s = await falls_to(watcher, uid, SAFE_W)

        assert after_s < 10.0
        await watcher.close()


async def test_a_bridge_that_ends_leaves_the_safe_limit_at_once(
    tmp_path: Path, gpus: FakeGpus
) -> None:
    async with powerd(tmp_path, gpus) as helper:
        async with bridge(tmp_path, helper.socket) as (plugin, uid):
            await plugin.set_power_limit(uid, 250.0)
        watcher = Plugin(Plugin.Config(plugin="nvml"), PluginContext(tmp_path, tmp_path))
        await watcher.probe()

        assert await falls_to(watcher, uid, SAFE_W) < 3.0
        await watcher.close()


async def test_a_killed_powerd_comes_back_to_what_it_granted_and_never_raises(
    tmp_path: Path, gpus: FakeGpus
) -> None:
    async with powerd(tmp_path, gpus) as helper, bridge(tmp_path, helper.socket) as (plugin, uid):
        await plugin.set_power_limit(uid, 120.0)
        helper.end(signal.SIGKILL)
        helper.socket.unlink()
        gpus.set(0, limit_w=350.0)  # what a driver that was loaded again would say
        await helper.start()

        assert await falls_to(plugin, uid, 120.0) < 10.0


async def test_a_powerd_that_is_told_to_end_sets_the_safe_limits_first(
    tmp_path: Path, gpus: FakeGpus
) -> None:
    async with powerd(tmp_path, gpus) as helper, bridge(tmp_path, helper.socket) as (plugin, uid):
        await plugin.set_power_limit(uid, 250.0)

        helper.end()

        assert await limit_w(plugin, uid) == SAFE_W
        assert helper.process.returncode == 0
        with pytest.raises(DeviceFault, match="systemctl start hashcenter-powerd"):
            await plugin.set_power_limit(uid, 250.0)


def another_process(socket: Path, user: int, says: str) -> str:
    """Return what powerd answers to another process of this user, or why it cannot be asked."""
    code = (
        f"import os, socket; os.setuid({user})\n"
        "line = socket.socket(socket.AF_UNIX); line.settimeout(10)\n"
        f"line.connect({str(socket)!r})\n"
        "try:\n"
        f"    line.sendall({says.encode()!r})\n"
        "except BrokenPipeError: pass\n"  # a stranger is answered before it speaks
        "print(line.recv(4096).decode())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


async def test_only_one_bridge_holds_the_limits(tmp_path: Path, gpus: FakeGpus) -> None:
    async with powerd(tmp_path, gpus) as helper, bridge(tmp_path, helper.socket) as (plugin, uid):
        await plugin.set_power_limit(uid, 250.0)
        says = json.dumps({"verb": "limit", "uid": uid, "power_w": 200.0}) + "\n"

        answer = await asyncio.to_thread(another_process, helper.socket, 0, says)

        assert "holds the limits" in answer
        assert await limit_w(plugin, uid) == 250.0


async def test_garbage_is_refused_and_changes_nothing(tmp_path: Path, gpus: FakeGpus) -> None:
    async with powerd(tmp_path, gpus) as helper:
        for line in (b"\n", b"{}\n", b'{"verb": "limit", "uid": "x", "power_w": -1}\n', b"\xff\n"):
            reader, writer = await asyncio.open_unix_connection(str(helper.socket))
            writer.write(line)
            answer = await reader.readline()
            assert b'"ok":false' in answer, line
            writer.close()
        reader, writer = await asyncio.open_unix_connection(str(helper.socket))
        writer.write(b"x" * 100_000)
        assert await reader.read() == b""  # it hangs up
        writer.close()

        client = Client(helper.socket)
        with pytest.raises(DeviceFault, match="there is no GPU"):
            await client.set_limit("GPU-unknown", 200.0)
        await client.close()
        assert helper.process.poll() is None


async def test_a_stranger_is_refused(gpus: FakeGpus) -> None:
    # Every user may come as far as the socket.
    with TemporaryDirectory(prefix="powerd-", dir="/tmp") as name:
        folder = Path(name)
        os.chmod(folder, 0o755)  # noqa: PTH101, S103 - as systemd's RuntimeDirectory is
        async with powerd(folder, gpus) as helper:
            answer = await asyncio.to_thread(
                another_process, helper.socket, 65_534, '{"verb": "renew"}\n'
            )

            assert "stranger" in answer


async def test_whoever_asks_whether_it_may_changes_nothing(tmp_path: Path, gpus: FakeGpus) -> None:
    async with powerd(tmp_path, gpus) as helper, bridge(tmp_path, helper.socket) as (plugin, uid):
        assert await Client(helper.socket).may() == "nobody holds them now"
        await plugin.set_power_limit(uid, 250.0)
        answer = await asyncio.to_thread(another_process, helper.socket, 0, '{"verb": "may"}\n')
        assert '"ok":true' in answer
        assert f"process {os.getpid()} holds them now" in answer
        assert await limit_w(plugin, uid) == 250.0
        await plugin.set_power_limit(uid, 240.0)  # it still holds them


async def test_root_may_release_the_limits_to_the_factory_default(
    tmp_path: Path, gpus: FakeGpus
) -> None:
    async with powerd(tmp_path, gpus) as helper, bridge(tmp_path, helper.socket) as (plugin, uid):
        await plugin.set_power_limit(uid, 250.0)
        await Client(helper.socket).release()

        assert await limit_w(plugin, uid) == 350.0
