"""Speech programs: there when they have said what they can do, and started again when they end."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hashcenter_bridge import config
from hashcenter_bridge.child import ChildState
from hashcenter_bridge.errors import ConfigError
from hashcenter_bridge.voice import Voice, VoiceConfig, abilities
from tests.bridge.processes import is_alive, until
from tests.bridge.rigs import Bench
from tests.simulators import wyoming
from tools.demo.ports import free_port

RIG = '[rig]\nid = "attic"\n'


def program(kind: str, port: int, name: str = "ears") -> VoiceConfig:
    command = (sys.executable, wyoming.__file__, str(port), kind)
    return VoiceConfig(name=name, command=command, port=port)


@asynccontextmanager
async def running(kind: str) -> AsyncIterator[Voice]:
    voice = Voice(program(kind, free_port()), asyncio.get_running_loop().time, lambda: None)
    voice.child.want(True)
    try:
        yield voice
    finally:
        await voice.close()


@pytest.mark.parametrize(("kind", "can"), [("asr", ("hears",)), ("tts", ("speaks",))])
async def test_it_is_there_when_it_says_what_it_can_do(kind: str, can: tuple[str, ...]) -> None:
    async with running(kind) as voice:
        assert not voice.shown.available
        await until(lambda: voice.shown.available)
        assert (voice.shown.can, voice.shown.why) == (can, "ready")
        pid = voice.child.pid
    assert pid is not None
    assert not is_alive(pid)


async def test_one_that_is_killed_is_started_again() -> None:
    async with running("asr") as voice:
        await until(lambda: voice.shown.available)
        first = voice.child.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await until(lambda: not voice.shown.available)
        assert "was killed by SIGKILL" in voice.shown.why
        await until(lambda: voice.shown.available)
        assert voice.child.pid != first


async def test_another_program_at_its_port_is_not_it() -> None:
    async with running("nonsense") as voice:
        port = voice.config.port

        async def answers() -> Callable[[], None]:
            while True:
                try:
                    await abilities(port)
                except ConnectionRefusedError:
                    await asyncio.sleep(0.02)

        with pytest.raises(ConnectionError, match="does not speak Wyoming"):
            await answers()
        assert voice.child.state is ChildState.STARTING


async def test_it_stops_with_stop_all_and_is_shown(tmp_path: Path) -> None:
    bench = await Bench(tmp_path).start()
    bench.rig.voices = [Voice(program("asr", free_port()), lambda: 0.0, lambda: None)]
    (voice,) = bench.rig.voices
    try:
        await bench.step()
        await until(lambda: voice.shown.available)
        await bench.step()
        assert bench.line.last("state").voice[0].can == ("hears",)
        bench.rig.state = bench.rig.state.__class__(stopped=True)
        await bench.step()
        await until(lambda: voice.child.state is ChildState.STOPPED)
    finally:
        await voice.close()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[[voice]]\nname = "a"\ncommand = ["x"]\n', "port: this key is needed"),
        ('[[voice]]\nname = "a"\ncommand = []\nport = 1\n', "line 5: voice.command"),
        (2 * '[[voice]]\nname = "a"\ncommand = ["x"]\nport = 1\n', "the same name"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "hashcenter.toml"
    file.write_text(RIG + text)
    with pytest.raises(ConfigError, match=sentence):
        config.load(file)
