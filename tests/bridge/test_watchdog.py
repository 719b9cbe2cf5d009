"""systemd's watchdog is fed while metering, the loop and the line all move on, and only then."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hashcenter_bridge import watchdog
from hashcenter_bridge.ready import notify


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The socket that systemd listens at."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(tmp_path / "notify"))
        line.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setattr(watchdog, "_LOOK_S", 0.02)
        yield line


def heard(line: socket.socket) -> list[bytes]:
    found = []
    with suppress(BlockingIOError):
        while True:
            found.append(line.recv(100))
    return found


@pytest.mark.parametrize("still", [None, "metering", "loop", "line"])
async def test_it_is_fed_only_while_everything_moves(
    systemd: socket.socket, still: str | None
) -> None:
    metering = SimpleNamespace(looks=0)
    loop: Any = SimpleNamespace(turns=0, rig=SimpleNamespace(metering=metering))
    line: Any = SimpleNamespace(turns=0)
    pulse = watchdog.Pulse(lambda: 0.0)
    feeding = asyncio.create_task(watchdog.feed(loop, line, pulse))
    await asyncio.sleep(0)
    assert heard(systemd) == [b"READY=1"]
    for _ in range(10):
        metering.looks += still != "metering"
        loop.turns += still != "loop"
        line.turns += still != "line"
        await asyncio.sleep(0.02)
    feeding.cancel()

    fed = heard(systemd).count(b"WATCHDOG=1")
    assert fed == 0 if still else fed >= 3


@pytest.mark.parametrize("still", [[], ["metering"], ["loop", "line"]])
def test_the_pulse_names_what_stands_still(still: list[str]) -> None:
    now = 0.0
    pulse = watchdog.Pulse(lambda: now)
    assert pulse.still() == []
    for step in range(20):
        now = 2.0 * step
        pulse.note(**{part: part not in still and step for part in ("metering", "loop", "line")})
    assert pulse.still() == still
    pulse.note(metering=99, loop=99, line=99)
    assert pulse.still() == []


async def test_without_systemd_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")
