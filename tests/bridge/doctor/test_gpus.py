"""What `hashcenter doctor` proves of GPUs, on the fake driver: nothing is set but what is set."""

import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hashcenter_bridge.devices.nvml import checkup
from hashcenter_bridge.devices.nvml.checkup import Watched
from hashcenter_bridge.doctor import devices
from hashcenter_bridge.finding import Finding
from tests.bridge.doctor.owner import by_check, loaded
from tests.simulators.fake_nvml import RTX_3090, TESLA_P40, FakeGpus, Gpu

NVML = '[[device]]\nplugin = "nvml"\n'


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "WATCH_S", 0.5)


@pytest.fixture
def fake(gpu_folder: Path, fake_nvml: Path) -> Callable[..., FakeGpus]:
    def make(spec: Gpu, **changes: Any) -> FakeGpus:
        card = replace(spec, uuid=f"GPU-{uuid.uuid4()}", **changes)
        return FakeGpus(gpu_folder, [card], library=fake_nvml)

    return make


async def examined(folder: Path, rig: str = "", more: str = NVML) -> dict[str, Finding]:
    found = by_check(await devices.driven(*loaded(folder, more, rig=rig)))
    return {check.partition(" of ")[0]: one for check, one in found.items()}


async def test_a_card_in_order_is_proven_to_be(tmp_path: Path, fake: Callable[..., Any]) -> None:
    fake(RTX_3090, persistence=True, limit_w=240.0)
    found = await examined(tmp_path)
    # How fast this machine is just now decides what a look costs, and half a second is short.
    timed = {"energy", "cost"}
    assert {one.result for name, one in found.items() if name not in timed} == {"ok"}
    assert "595.71.05" in found["NVIDIA's driver"].text
    assert found["persistence mode"].text == "on"
    assert found["power limit"].text == "this user may set it; it is 240 W"
    assert "its watts add up to" in found["energy"].text
    assert "ms a look" in found["cost"].text


async def test_a_limit_that_may_not_be_set_fails_only_where_it_has_to_be(
    tmp_path: Path, fake: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(RTX_3090)
    monkeypatch.setenv("FAKE_NVML_UNPRIVILEGED", "1")
    measured = (await examined(tmp_path))["power limit"]
    controlled = (await examined(tmp_path, "allow_control = true"))["power limit"]
    assert (measured.result, controlled.result) == ("warning", "failed")
    assert "let `hashcenter powerd` do it" in controlled.text


async def test_what_is_tried_changes_no_limit(tmp_path: Path, fake: Callable[..., Any]) -> None:
    fake(RTX_3090, limit_w=210.0)
    before = await examined(tmp_path)
    after = await examined(tmp_path)
    assert "it is 210 W" in before["power limit"].text
    assert before["power limit"] == after["power limit"]


async def test_persistence_mode_that_is_off_is_said_with_the_command(
    tmp_path: Path, fake: Callable[..., Any]
) -> None:
    fake(RTX_3090, persistence=False)
    found = (await examined(tmp_path))["persistence mode"]
    assert found.result == "warning"
    assert "systemctl enable --now nvidia-persistenced" in found.text


async def test_a_card_without_a_counter_is_added_up(
    tmp_path: Path, fake: Callable[..., Any]
) -> None:
    fake(TESLA_P40)
    assert (await examined(tmp_path))["energy"].text.startswith("no counter")


async def test_a_powerd_that_is_not_there_is_said(tmp_path: Path, fake: Callable[..., Any]) -> None:
    fake(RTX_3090)
    more = f'{NVML}powerd = "{tmp_path}/none.sock"'
    found = await examined(tmp_path, "allow_control = true", more)
    assert "power limit" not in found
    assert found["powerd"].result == "failed"
    assert "systemctl start hashcenter-powerd" in found["powerd"].text


@pytest.mark.parametrize(
    ("counted_j", "result", "words"),
    [
        (400.0, "ok", "counted 400 J, its watts add up to 400 J (0% apart)"),
        (480.0, "ok", "(20% apart)"),
        (187.0, "warning", "(53% apart): if it stays so under load"),
        (0.0, "warning", "(100% apart)"),
    ],
)
def test_counter_and_watts_are_compared(counted_j: float, result: str, words: str) -> None:
    seen = Watched([0.0, 2.0, 4.0], [100.0, 100.0, 100.0], [7.0, 8.0, 7.0 + counted_j], [0.001])
    found = checkup.energy("RTX 3090", seen)
    assert found.result == result
    assert words in found.text


def test_a_look_that_takes_long_is_said() -> None:
    slow = checkup.cost("RTX 3090", Watched(took_s=[0.2, 0.2, 1.5]))
    quick = checkup.cost("RTX 3090", Watched(took_s=[0.001, 0.001, 1.5]))
    assert (slow.result, quick.result) == ("warning", "ok")
    assert slow.text.startswith("200.0 ms a look, 1500 ms at most: ")


@pytest.mark.parametrize(
    ("kernel", "result"),
    [
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  595.71.05  Tue", "ok"),
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.1  Tue", "failed"),
    ],
)
async def test_a_library_that_does_not_fit_the_kernels_module_is_said(
    tmp_path: Path,
    fake: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    kernel: str,
    result: str,
) -> None:
    fake(RTX_3090)
    file = tmp_path / "version"
    file.write_text(kernel)
    monkeypatch.setattr(checkup, "_KERNEL", file)
    found = (await examined(tmp_path))["NVIDIA's driver"]
    assert found.result == result
