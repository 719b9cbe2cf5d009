"""A home that is spoken to: a rig with ears, a mouth and a model, and a real Home Assistant.

The rig's bridge starts Whisper and Piper as its children; Home Assistant reaches them with its own
Wyoming integration. Nothing of it leaves the loopback interface.
"""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Final

from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.tts import Synthesize

from tests.e2e.satellite import Sound
from tools.demo import newcomer
from tools.demo.broker import start_broker
from tools.demo.client import HomeAssistant, log_in_as_owner
from tools.demo.home_assistant import make_folder, until_started
from tools.demo.ports import HOST, free_port, until_open
from tools.demo.processes import DemoError, Processes, until
from tools.paths import BRIDGE_PYTHON, MODEL
from tools.setup.speech import Speech

_FLOWS: Final = "/api/config/config_entries/flow"
_TEMPLATE: Final = Path(__file__).with_name("spoken_template.jinja")
_PATIENCE_S: Final = 120.0
_CONFIGURATION: Final = """\
[rig]
id = "attic"
state_folder = "{folder}/state"
runtime_folder = "{folder}/run"
[mqtt]
port = {broker}
[http]
port = {http}
[[device]]
plugin = "cpu"
[[runner]]
plugin = "xllamacpp"
name = "voice"
gpus = []
model = "{model}"
chat_template = "{template}"
threads = 2
{voices}
"""
_VOICE: Final = """\
[[voice]]
name = "{name}"
command = {command}
port = {port}
"""


class SpokenHome:
    """The programs of the home, and what a person does with it."""

    def __init__(self, folder: Path, processes: Processes, speech: Speech) -> None:
        self._folder = folder
        self._processes = processes
        self.ears, self.mouth = free_port(), free_port()
        self._broker, self._http = free_port(), free_port()
        self._config = folder / "hashcenter.toml"
        commands = {
            "ears": (self.ears, speech.ears(self.ears)),
            "mouth": (self.mouth, speech.mouth(self.mouth)),
        }
        voices = "".join(
            _VOICE.format(name=name, port=port, command=json.dumps(command))
            for name, (port, command) in commands.items()
        )
        self._config.write_text(
            _CONFIGURATION.format(
                folder=folder,
                broker=self._broker,
                http=self._http,
                model=MODEL,
                template=_TEMPLATE,
                voices=voices,
            )
        )
        self._url = ""
        self._token = ""

    async def start(self) -> None:
        """Start everything and set Home Assistant up, as a person does."""
        await start_broker(self._processes, self._folder, self._broker)
        cli = [str(BRIDGE_PYTHON), "-m", "hashcenter_bridge.cli"]
        asked = [*cli, "key", "--config", str(self._config)]
        key = (await asyncio.to_thread(subprocess.check_output, asked, text=True)).strip()
        run = [*cli, "run", "--config", str(self._config)]
        bridge = await self._processes.start("bridge", run)
        for port in (self._http, self.ears, self.mouth):
            await until_open(port, bridge, _PATIENCE_S)
        await self._start_home_assistant()
        async with self.home() as home:
            await newcomer.add_broker(home, self._broker)
            await newcomer.accept_rig(home, key)
            for port in (self.ears, self.mouth):
                await self.add_wyoming(home, port)

    def home(self) -> HomeAssistant:
        """Return a person who is logged in; to be entered."""
        return HomeAssistant(self._url, self._token)

    async def _start_home_assistant(self) -> None:
        port = free_port()
        config = self._folder / "ha"
        make_folder(config, port)
        command = [sys.executable, "-m", "tools.demo.hass", "--config", str(config), "--skip-pip"]
        # From here Home Assistant would find this clone's integration only.
        program = await self._processes.start(
            "home-assistant", command, {"PYTHONPATH": str(config)}
        )
        await until_started(program, port)
        self._url = f"http://{HOST}:{port}"
        self._token = await log_in_as_owner(self._url, "spoken", "spoken")

    async def add_wyoming(self, home: HomeAssistant, port: int) -> None:
        """Add what speaks Wyoming there once it does, as the integration's own dialog does."""

        async def added() -> bool:
            flow = await home.post(_FLOWS, {"handler": "wyoming"})
            form = {"host": HOST, "port": port}
            step = await home.post(f"{_FLOWS}/{flow['flow_id']}", form)
            return bool(step["type"] == "create_entry")

        await until(f"what speaks Wyoming at {port} is added", added, _PATIENCE_S)

    async def prefer_its_assistant(self, home: HomeAssistant) -> None:
        """Make an assistant of the rig's ears, model and mouth, and have all satellites use it."""
        agent = await newcomer.add_agent(home)

        async def engines() -> dict[str, str]:
            states = await home.states()
            found = {
                kind: name
                for name, state in states.items()
                if (kind := name.partition(".")[0]) in ("stt", "tts")
                and state["state"] != "unavailable"
            }
            return found if len(found) == 2 and states[agent]["state"] != "unavailable" else {}

        found = await until("ears, mouth and agent are there", engines, _PATIENCE_S)
        made = await home.command(
            "assist_pipeline/pipeline/create",
            name="Spoken",
            language="en",
            conversation_engine=agent,
            conversation_language="en",
            prefer_local_intents=False,
            stt_engine=found["stt"],
            stt_language="en",
            tts_engine=found["tts"],
            tts_language="en_US",
            tts_voice=None,
            wake_word_entity=None,
            wake_word_id=None,
        )
        await home.command("assist_pipeline/pipeline/set_preferred", pipeline_id=made["id"])


async def spoken(port: int, words: str) -> Sound:
    """Have the mouth at `port` say `words`."""
    pcm, rate = b"", 0
    async with asyncio.timeout(_PATIENCE_S), AsyncTcpClient(HOST, port) as mouth:
        await mouth.write_event(Synthesize(text=words).event())
        while (event := await mouth.read_event()) is not None:
            if AudioStart.is_type(event.type):
                rate = AudioStart.from_event(event).rate
            elif AudioChunk.is_type(event.type):
                pcm += AudioChunk.from_event(event).audio
            elif AudioStop.is_type(event.type):
                return Sound(pcm, rate)
    raise DemoError("the mouth fell silent")


async def heard(port: int, sound: Sound) -> str:
    """Have the ears at `port` write down `sound`."""
    form = {"rate": sound.rate, "width": 2, "channels": 1}
    async with asyncio.timeout(_PATIENCE_S), AsyncTcpClient(HOST, port) as ears:
        await ears.write_event(Transcribe(language="en").event())
        await ears.write_event(AudioStart(**form).event())
        await ears.write_event(AudioChunk(audio=sound.pcm, **form).event())
        await ears.write_event(AudioStop().event())
        while (event := await ears.read_event()) is not None:
            if Transcript.is_type(event.type):
                return Transcript.from_event(event).text
    raise DemoError("the ears hung up")
