"""The nvml plugin in a process of its own: old drivers, broken drivers, machines without any."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.simulators.fake_nvml import FakeGpus, build

DEADLINE_S = 60


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("library"))


PROBE = """
import asyncio, sys
from pathlib import Path
from hashcenter_bridge.devices.nvml import Plugin
from hashcenter_bridge.errors import PluginUnavailable
from hashcenter_bridge.plugin import PluginContext

async def look():
    folder = Path(sys.argv[1])
    plugin = Plugin(Plugin.Config(plugin="nvml"), PluginContext(folder, folder))
    try:
        (device,) = await plugin.probe()
    except PluginUnavailable as err:
        print(err)
        return
    sample = (await plugin.read())[device.uid]
    print(sample.readings.model_dump_json(exclude_none=True), sample.energy_counter_j is not None)
    await plugin.close()

asyncio.run(look())
"""


def probed(environment: Mapping[str, str], folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, str(folder)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_old_driver_gives_the_same_readings_by_older_functions(tmp_path: Path) -> None:
    gpus = FakeGpus(tmp_path, 1, library=build(tmp_path, "legacy"))
    readings = probed(gpus.environment, tmp_path)
    for reading in (
        '"power_w":22.0', '"power_limit_w":350.0', '"temp_c":25.0', '"throttle":"none"',
        '"memory_total_mib":24576.0', '"foreign_processes":0', '"missing":{}', "True",
    ):  # fmt: skip
        assert reading in readings


@pytest.mark.parametrize(
    ("init_result", "what_to_do"),
    [
        ("driver_not_loaded", "modprobe nvidia"),
        ("version_mismatch", "restart the machine"),
        ("no_permission", "add it to the group"),
        ("unknown", "NVIDIA's driver does not work"),
    ],
)
def test_a_broken_driver_is_one_sentence(
    tmp_path: Path, library: Path, init_result: str, what_to_do: str
) -> None:
    gpus = FakeGpus(tmp_path, 1, library=library)
    gpus.set_driver(init_result=init_result)
    assert what_to_do in probed(gpus.environment, tmp_path)


def test_a_machine_without_a_driver_or_a_gpu_is_one_sentence(tmp_path: Path, library: Path) -> None:
    assert "libnvidia-ml.so.1 is not there: install NVIDIA's driver" in probed(
        {"LD_LIBRARY_PATH": ""}, tmp_path
    )
    assert "finds no GPU that works" in probed(
        FakeGpus(tmp_path, 0, library=library).environment, tmp_path
    )
