"""The first word, through Home Assistant: our agent beside core's `llama_cpp`, the same home.

One real Home Assistant asks two servers with the same weights, flags and template: ours behind the
bridge, core's alone. They take turns; while one is asked the other rests. A question is a pipeline
run as a satellite starts it, and its time ends with the first word that comes back.
"""

import asyncio
import shutil
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tools.bench.voice.house_prompts import Prompt, flags, require_the_same
from tools.bench.voice.house_servers import Bare, Rig
from tools.demo import newcomer
from tools.demo.client import HomeAssistant, log_in_as_owner
from tools.demo.home_assistant import make_folder, until_started
from tools.demo.ports import HOST, free_port
from tools.demo.processes import DemoError, Processes, until
from tools.paths import ROOT

#: What this is called on the command line.
PART: Final = "house"
_FLOWS: Final = "/api/config/config_entries/flow"
_COMPONENT: Final = ROOT / "tools/bench/voice/house_component"
_AREAS: Final = {"Alice": "East wing", "Bob": "West wing"}
#: No answer takes longer; it is called off then.
_ANSWER_S: Final = 300.0
_TRIES: Final = 4
_AGAIN_S: Final = 30.0
_STAGES: Final = ("new_satellite", "same_satellite", "later_turn", "after_rename", "after_restart")

Say = Callable[[str], None]


@dataclass
class Asked:
    """How a question went: seconds to the first word, the conversation it was in, its prompt."""

    first_word_s: float
    conversation_id: str
    prompt: Prompt | None


@dataclass
class Bench:
    """The home, and what was measured: seconds by stage and agent."""

    home: HomeAssistant
    pipelines: dict[str, str]
    satellites: dict[str, str]
    servers: dict[str, Rig | Bare]
    say: Say
    seconds: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))

    async def ask(
        self, agent: str, satellite: str, *, conversation_id: str | None = None, whole: bool = False
    ) -> Asked:
        """Ask as a satellite does. Without `whole` the answer ends with its first word."""
        run: dict[str, Any] = {
            "start_stage": "intent",
            "end_stage": "intent",
            "input": {"text": "Say hello in one short sentence."},
            "pipeline": self.pipelines[agent],
            "device_id": self.satellites[satellite],
            "conversation_id": conversation_id,
        }
        began = time.perf_counter()
        async with (
            asyncio.timeout(_ANSWER_S),
            self.home.subscribed("assist_pipeline/run", **run) as events,
        ):
            first_word_s, known, speech = 0.0, conversation_id or "", ""
            prompt: Prompt | None = None
            while True:
                event = (await events.get())["event"]
                data = event["data"] or {}
                known = data.get("conversation_id") or known
                if event["type"] == "error":
                    raise DemoError(f"{agent}: {data['message']}")
                if event["type"] == "intent-end":
                    speech = str(data["intent_output"]["response"]["speech"])
                delta = data.get("chat_log_delta") or {}
                if not first_word_s and (delta.get("content") or delta.get("tool_calls")):
                    first_word_s = time.perf_counter() - began
                    prompt = await self.servers[agent].prompt()
                    if not whole:
                        break
                if event["type"] == "run-end":
                    break
        if not first_word_s:
            raise DemoError(f"{agent} said no word: {speech}")
        return Asked(first_word_s, known, prompt)

    async def first(self, agent: str, satellite: str) -> Asked:
        """Ask what nobody has asked yet; our agent gives up after a minute, and is asked again."""
        for _ in range(_TRIES):
            try:
                return await self.ask(agent, satellite, whole=True)
            except DemoError:
                await asyncio.sleep(_AGAIN_S)
        return await self.ask(agent, satellite, whole=True)

    async def note(self, stage: str, agent: str, satellite: str, **how: Any) -> None:
        """Ask, keep the time, and say what the server had read of the prompt before."""
        asked = await self.ask(agent, satellite, **how)
        prompt = asked.prompt or "its prompt is not known: it had ended"
        self.say(f"{stage}, {agent}: {asked.first_word_s:.3f} s, {prompt}")
        self.seconds[stage, agent].append(asked.first_word_s)

    async def rename(self, number: int) -> None:
        """Give an exposed lamp another name."""
        await self.home.command(
            "config/entity_registry/update",
            entity_id=f"light.kitchen_lamp_number_{6 * (number % 10)}",
            name=f"Kitchen lamp renamed {number}",
        )


async def measure(
    folder: Path, repeats: int, wait_s: float, unchanged_s: float, say: Say
) -> dict[str, float]:
    """Return the ratios of the medians, ours over core's, and the seconds themselves."""
    processes = Processes(folder / "logs", f"bench-{folder.name}")
    rig, bare = Rig(folder, processes, unchanged_s), Bare(folder, processes)
    try:
        await asyncio.gather(rig.start(), bare.start())
        say("the servers have started")
        say(require_the_same(flags(processes.mark)))
        bench = await _set_up(folder, processes, rig, bare, say)
        async with bench.home:
            say("the home is set up")
            await _talk(bench, rig, bare, repeats, wait_s, say)
            await _restarts(bench, rig, bare, repeats, unchanged_s, say)
    finally:
        await processes.stop_all()
    return _figures(bench, say)


async def _talk(bench: Bench, rig: Rig, bare: Bare, repeats: int, wait_s: float, say: Say) -> None:
    """Measure new, same and returning satellites, later turns, and the time after a rename."""
    for number in range(repeats):
        for agent, server in (("ours", rig), ("core", bare)):
            await server.restart()
            await _until_available(bench, agent)
            begun = await bench.first(agent, "Alice")
            await bench.note("same_satellite", agent, "Alice")
            await bench.note("later_turn", agent, "Alice", conversation_id=begun.conversation_id)
            await bench.note("new_satellite", agent, "Bob")
            await bench.note("same_satellite", agent, "Alice")
        await bench.rename(number)
        await asyncio.sleep(wait_s)
        for agent in ("ours", "core"):
            await bench.note("after_rename", agent, "Alice")
        say(f"{number + 1} of {repeats} conversations")


async def _restarts(
    bench: Bench, rig: Rig, bare: Bare, repeats: int, unchanged_s: float, say: Say
) -> None:
    """Measure the first question after a runner restarted, once a prompt has been saved."""
    await bench.first("ours", "Alice")
    say("the prompt is left alone until it is saved")
    await until("the prompt is saved", rig.has_saved, unchanged_s + 180)
    for number in range(repeats):
        for agent, server in (("ours", rig), ("core", bare)):
            await server.restart()
            await _until_available(bench, agent)
            await bench.note("after_restart", agent, "Alice")
        say(f"{number + 1} of {repeats} restarts")


def _figures(bench: Bench, say: Say) -> dict[str, float]:
    figures: dict[str, float] = {}
    for stage in _STAGES:
        ours, core = (statistics.median(bench.seconds[stage, agent]) for agent in ("ours", "core"))
        say(f"{stage}: ours {ours:.3f} s, core {core:.3f} s")
        figures[f"{stage}_ttft_ratio_vs_llama_cpp"] = ours / core
    return figures


async def _set_up(folder: Path, processes: Processes, rig: Rig, bare: Bare, say: Say) -> Bench:
    """Start Home Assistant and set up the home, the two agents and their pipelines."""
    port = free_port()
    config = folder / "ha"
    make_folder(config, port)
    shutil.copytree(_COMPONENT, config / "custom_components/bench_home", dirs_exist_ok=True)
    command = [sys.executable, "-m", "tools.demo.hass", "--config", str(config), "--skip-pip"]
    # From here Home Assistant would find this clone's integration only.
    program = await processes.start("home-assistant", command, {"PYTHONPATH": str(config)})
    await until_started(program, port)
    url = f"http://{HOST}:{port}"
    token = await log_in_as_owner(url, "bench", "bench")
    home = HomeAssistant(url, token)
    async with HomeAssistant(url, token) as setup:
        await setup.post(_FLOWS, {"handler": "bench_home"})
        await newcomer.add_broker(setup, rig.broker_port)
        await newcomer.accept_rig(setup, rig.key)
        await _add_core(setup, bare)
        satellites = await _satellites(setup)
        lamps = [one for one in await setup.states() if one.startswith("light.")]
        await setup.command(
            "homeassistant/expose_entity",
            assistants=["conversation"],
            entity_ids=lamps,
            should_expose=True,
        )
        agents = await until("both agents are there", lambda: _agents(setup), 60)
        pipelines = {name: await _pipeline(setup, agent) for name, agent in agents.items()}
    return Bench(home, pipelines, satellites, {"ours": rig, "core": bare}, say)


async def _add_core(home: HomeAssistant, bare: Bare) -> None:
    """Add core's integration, as a person does."""
    flow = await home.post(_FLOWS, {"handler": "llama_cpp"})
    where = f"{_FLOWS}/{flow['flow_id']}"
    await home.post(where, {"base_url": f"http://{HOST}:{bare.port}/v1"})
    made = await home.post(where, {"chat_model": bare.model})
    if made["type"] != "create_entry":
        raise DemoError(f"llama_cpp could not be set up: {made}")


async def _satellites(home: HomeAssistant) -> dict[str, str]:
    """Put the satellites into their areas; return their devices by name."""

    async def found() -> dict[str, str]:
        devices = await home.command("config/device_registry/list")
        named = {one["name"]: one["id"] for one in devices if one["name"] in _AREAS}
        return named if len(named) == len(_AREAS) else {}

    satellites = await until("the satellites are there", found, 60)
    for name, area in _AREAS.items():
        made = await home.command("config/area_registry/create", name=area)
        await home.command(
            "config/device_registry/update", device_id=satellites[name], area_id=made["area_id"]
        )
    return satellites


async def _agents(home: HomeAssistant) -> dict[str, str]:
    entries = await home.command("config/entity_registry/list")
    by_platform = {
        one["platform"]: one["entity_id"]
        for one in entries
        if one["entity_id"].startswith("conversation.")
    }
    known = {"ours": by_platform.get("hashcenter"), "core": by_platform.get("llama_cpp")}
    found = {name: agent for name, agent in known.items() if agent}
    return found if len(found) == len(known) else {}


async def _pipeline(home: HomeAssistant, agent: str) -> str:
    """Make a pipeline with this agent that is written to."""
    nothing = dict.fromkeys(
        (
            *("stt_engine", "stt_language", "tts_engine", "tts_language", "tts_voice"),
            *("wake_word_entity", "wake_word_id"),
        )
    )
    made = await home.command(
        "assist_pipeline/pipeline/create",
        name=agent,
        language="en",
        conversation_engine=agent,
        conversation_language="en",
        prefer_local_intents=False,
        **nothing,
    )
    return str(made["id"])


async def _until_available(bench: Bench, agent: str) -> None:
    """Wait until our agent says that a rig can answer; core's says nothing."""
    if agent != "ours":
        return

    async def available() -> bool:
        states = await bench.home.states()
        ours = next(one for one in states if one.startswith("conversation.hashcenter"))
        return bool(states[ours]["state"] != "unavailable")

    await until("our agent is available", available, 90)
