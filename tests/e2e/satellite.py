"""A Wyoming satellite: what is said to it goes to Home Assistant, what it plays is kept.

Source: github.com/OHF-Voice/wyoming, "Satellite": the server is the satellite, Home Assistant
connects to it, asks it to `describe` itself and lets it run with `run-satellite`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Self

from wyoming.asr import Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import Attribution, Describe, Info, Satellite as About
from wyoming.ping import Ping, Pong
from wyoming.pipeline import PipelineStage, RunPipeline
from wyoming.satellite import RunSatellite
from wyoming.server import AsyncEventHandler, AsyncServer
from wyoming.snd import Played
from wyoming.tts import Synthesize

from tools.demo.ports import HOST

NAME: Final = "Kitchen"
_CHUNK: Final = 4096
_ABOUT: Final = About(
    name=NAME,
    attribution=Attribution(name="Hashcenter", url="https://github.com/hashcenter/hashcenter"),
    installed=True,
    description="a satellite in a test",
    version="1",
)


@dataclass(frozen=True)
class Sound:
    """Speech: 16-bit mono samples, `rate` of them a second."""

    pcm: bytes
    rate: int

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.pcm) / 2 / self.rate


@dataclass
class Talk:
    """What came of a question: what was heard, what is answered, and how that sounds."""

    heard: str = ""
    answer: str = ""
    error: str = ""
    rate: int = 0
    pcm: bytes = b""

    @property
    def sound(self) -> Sound:
        """The answer as it was played."""
        return Sound(self.pcm, self.rate)


@dataclass
class Satellite:
    """A satellite that listens on a port until `close`."""

    port: int
    _server: AsyncServer | None = None
    _line: AsyncEventHandler | None = None
    _there: asyncio.Event = field(default_factory=asyncio.Event)
    _over: asyncio.Event = field(default_factory=asyncio.Event)
    _told: asyncio.Event = field(default_factory=asyncio.Event)
    _talk: Talk = field(default_factory=Talk)

    async def open(self) -> Self:
        """Listen for Home Assistant."""
        satellite = self

        class Line(AsyncEventHandler):
            """One connection; Home Assistant keeps one and opens others for a moment."""

            async def handle_event(self, event: Event) -> bool:
                """Take an event."""
                return await satellite.take(self, event)

        self._server = AsyncServer.from_uri(f"tcp://{HOST}:{self.port}")
        await self._server.start(Line)
        return self

    async def close(self) -> None:
        """Hang up."""
        if self._server is not None:
            await self._server.stop()

    async def ask(self, question: Sound, within_s: float) -> Talk:
        """Say `question` and return what came back, once it was played."""
        async with asyncio.timeout(within_s):
            await self._there.wait()
            assert self._line is not None
            self._talk = Talk()
            self._over.clear()
            self._told.clear()
            run = RunPipeline(PipelineStage.ASR, PipelineStage.TTS, restart_on_end=False)
            await self._line.write_event(run.event())
            # Half a second of silence, as after anybody who stops speaking.
            pcm = question.pcm + bytes(question.rate)
            for start in range(0, len(pcm), _CHUNK):
                audio = pcm[start : start + _CHUNK]
                chunk = AudioChunk(rate=question.rate, width=2, channels=1, audio=audio)
                await self._line.write_event(chunk.event())
            await self._line.write_event(AudioStop().event())
            # Of a long answer the beginning is played before all of its words are there.
            await self._over.wait()
            await self._told.wait()
            await self._line.write_event(Played().event())
        return self._talk

    async def take(self, line: AsyncEventHandler, event: Event) -> bool:
        """Take what Home Assistant says; the connection stays."""
        kind = event.type
        if Describe.is_type(kind):
            await line.write_event(Info(satellite=_ABOUT).event())
        elif Ping.is_type(kind):
            await line.write_event(Pong(text=Ping.from_event(event).text).event())
        elif RunSatellite.is_type(kind):
            self._line = line
            self._there.set()
        elif Transcript.is_type(kind):
            self._talk.heard = Transcript.from_event(event).text
        elif Synthesize.is_type(kind):
            self._talk.answer = Synthesize.from_event(event).text
            self._told.set()
        elif AudioStart.is_type(kind):
            self._talk.rate = AudioStart.from_event(event).rate
        elif AudioChunk.is_type(kind):
            self._talk.pcm += AudioChunk.from_event(event).audio
        elif AudioStop.is_type(kind):
            self._over.set()
        elif Error.is_type(kind):
            self._talk.error = Error.from_event(event).text
            self._over.set()
            self._told.set()
        return True


@asynccontextmanager
async def satellite(port: int) -> AsyncIterator[Satellite]:
    """Open a satellite on `port`."""
    opened = Satellite(port)
    try:
        yield await opened.open()
    finally:
        await opened.close()
