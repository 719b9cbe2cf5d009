"""A real Home Assistant, set up as a person does it, and real bridges that it asks for answers.

Nothing between an action and a model is played: Home Assistant is a process with the integration
installed, each rig a bridge process of its own, and what a test says goes through the same commands
as the frontend's.
"""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tools.demo import newcomer
from tools.demo.broker import start_broker
from tools.demo.client import HomeAssistant, log_in_as_owner
from tools.demo.home_assistant import make_folder, start_home_assistant, until_started
from tools.demo.ports import HOST, free_port, until_open
from tools.demo.processes import DemoError, Processes, Program, until
from tools.paths import BRIDGE_PYTHON, MODEL

#: A busy machine takes its time; nothing here is about speed.
PATIENCE_S = 120.0

SMALL = f"""
[[runner]]
plugin = "xllamacpp"
name = "small"
alias = "small"
gpus = []
model = "{MODEL}"
context_tokens = 4096
threads = 2
"""
_CONFIGURATION = """\
[rig]
id = "{name}"
name = "{title}"
state_folder = "{folder}/state"
runtime_folder = "{folder}/run"
[mqtt]
port = {broker_port}
[http]
listen = "{host}"
port = {http_port}
[[device]]
plugin = "cpu"
{programs}
"""
_COMMAND = BRIDGE_PYTHON.with_name("hashcenter")
_SUBENTRY_FLOWS = "/api/config/config_entries/subentries/flow"


def elsewhere(name: str, url: str, **keys: Any) -> str:
    """Return the lines of a runner that somebody else runs."""
    lines = [f"{key} = {str(value).lower()}" for key, value in keys.items()]
    block = ["[[runner]]", 'plugin = "openai"', f'name = "{name}"', f'url = "{url}"', *lines]
    return "\n".join([*block, ""])


class Rig:
    """A bridge process without a GPU; `programs` are the runners of its owner's file."""

    def __init__(
        self, name: str, folder: Path, processes: Processes, broker_port: int, programs: str
    ) -> None:
        self.name = name
        self.title = name.title()
        self.http_port = free_port()
        self._processes = processes
        self._program: Program | None = None
        self._file = folder / name / "hashcenter.toml"
        self._file.parent.mkdir()
        self._file.write_text(
            _CONFIGURATION.format(
                name=name, title=self.title, folder=self._file.parent, broker_port=broker_port,
                host=HOST, http_port=self.http_port, programs=programs,
            )
        )  # fmt: skip

    @property
    def url(self) -> str:
        """Where its API answers."""
        return f"http://{HOST}:{self.http_port}"

    async def key(self) -> str:
        """Return the rig's key as its owner reads it."""
        command = [str(_COMMAND), "key", "--config", str(self._file)]
        return (await asyncio.to_thread(subprocess.check_output, command, text=True)).strip()

    async def start(self) -> None:
        """Run the bridge; returns once its API is open."""
        command: list[str | Path] = [_COMMAND, "run", "--config", self._file]
        self._program = await self._processes.start(self.name, command)
        await until_open(self.http_port, self._program, PATIENCE_S)

    async def kill(self) -> None:
        """End it as a power cut would."""
        assert self._program is not None
        await self._processes.kill(self._program)


class House:
    """Home Assistant for its owner, who is logged in."""

    def __init__(self, home: HomeAssistant, folder: Path) -> None:
        self.home = home
        self.media = folder / "media"

    async def accept(self, rig: Rig) -> None:
        """Accept a rig that was discovered, with its key."""
        await newcomer.accept_rig(self.home, await rig.key())

    async def add(self, kind: str, **answers: Any) -> str:
        """Add a subentry by its form; return the entity that appears."""
        domain = {"conversation": "conversation", "ai_task_data": "ai_task"}[kind]
        before = await self.entities(domain)
        entry_id = await newcomer.house_entry(self.home)

        async def made() -> bool:
            try:
                flow = await self.home.post(_SUBENTRY_FLOWS, {"handler": [entry_id, kind]})
                step = await self.home.post(f"{_SUBENTRY_FLOWS}/{flow['flow_id']}", answers)
            except DemoError as err:
                # The house loads anew after each rig, which ends its open forms.
                if " 404 " not in str(err):
                    raise
                return False
            return bool(step["type"] == "create_entry")

        await until("the form is accepted", made, PATIENCE_S)

        async def appeared() -> set[str]:
            return await self.entities(domain) - before

        (entity,) = await until("the new entity appears", appeared, PATIENCE_S)
        return entity

    async def entities(self, domain: str) -> set[str]:
        """Return the integration's entities in a domain."""
        listed = await self.home.command("config/entity_registry/list")
        return {
            one["entity_id"]
            for one in listed
            if one["platform"] == "hashcenter" and one["entity_id"].startswith(f"{domain}.")
        }

    async def entity(self, unique_id: str) -> str:
        """Return the entity whose unique id ends so."""
        listed = await self.home.command("config/entity_registry/list")
        (found,) = [
            one["entity_id"]
            for one in listed
            if one["platform"] == "hashcenter" and one["unique_id"].endswith(unique_id)
        ]
        return str(found)

    async def state(self, entity_id: str) -> dict[str, Any]:
        """Return an entity's state object."""
        return (await self.home.states()).get(entity_id, {"state": "missing", "attributes": {}})

    async def until_state(self, entity_id: str, *wanted: str, not_: bool = False) -> None:
        """Wait until an entity has one of these states, or none of them."""

        async def is_so() -> bool:
            return ((await self.state(entity_id))["state"] in wanted) is not not_

        await until(f"{entity_id} is {'not ' * not_}{wanted}", is_so, PATIENCE_S)

    async def act(self, domain: str, action: str, **data: Any) -> Any:
        """Perform an action and return its response. Raises DemoError with what it says."""
        command = {"domain": domain, "service": action, "service_data": data}
        result = await self.home.command("call_service", **command, return_response=True)
        return result["response"]

    async def device_of(self, rig: Rig) -> str:
        """Return the id of a rig's device."""
        devices = await self.home.command("config/device_registry/list")
        (found,) = [one["id"] for one in devices if one["name"] == rig.title]
        return str(found)

    async def first_act(self, text: str, agent: str) -> dict[str, Any]:
        """Say something to an agent; return the first of its words or tool calls, and hang up.

        A machine that is busy reads a long prompt for longer than anybody waits; it has read it by
        the next time.
        """
        pipeline = await self._pipeline(agent)

        async def act() -> dict[str, Any] | None:
            delta, said = await self._act(text, pipeline)
            assert delta or "took too long" in said, said
            return delta

        found = await until("the agent answers", act, 4 * PATIENCE_S)
        assert found is not None
        return found

    async def _act(self, text: str, pipeline: str) -> tuple[dict[str, Any] | None, str]:
        """Return the first that comes, or what is said instead."""
        turn = self.home.subscribed(
            "assist_pipeline/run",
            start_stage="intent",
            end_stage="intent",
            input={"text": text},
            pipeline=pipeline,
        )
        async with asyncio.timeout(2 * PATIENCE_S), turn as events:
            while True:
                event = (await events.get())["event"]
                delta: dict[str, Any] = (event["data"] or {}).get("chat_log_delta") or {}
                if delta.get("content") or delta.get("tool_calls"):
                    return delta, ""
                if event["type"] in ("error", "intent-end", "run-end"):
                    return None, str(event)

    async def _pipeline(self, agent: str) -> str:
        """Return an Assist pipeline (text only) with this agent."""
        known = await self.home.command("assist_pipeline/pipeline/list")
        for one in known["pipelines"]:
            if one["conversation_engine"] == agent:
                return str(one["id"])
        nothing = dict.fromkeys(
            (
                *("stt_engine", "stt_language", "tts_engine", "tts_language", "tts_voice"),
                *("wake_word_entity", "wake_word_id"),
            )
        )
        made = await self.home.command(
            "assist_pipeline/pipeline/create", name=agent, language="en",
            conversation_engine=agent, conversation_language="en", prefer_local_intents=False,
            **nothing,
        )  # fmt: skip
        return str(made["id"])

    async def say(self, text: str, agent: str) -> dict[str, Any]:
        """Say something to an agent; return its response."""
        said = await self.home.command("conversation/process", text=text, agent_id=agent)
        response: dict[str, Any] = said["response"]
        return response


@asynccontextmanager
async def set_up(
    folder: Path, programs: dict[str, str], more: str = ""
) -> AsyncIterator[tuple[House, dict[str, Rig]]]:
    """Set up a house that accepted a rig for each name in `programs`, which are their runners.

    `more` are lines of Home Assistant's own file.
    """
    processes = Processes(folder / "logs", f"answering-{folder.name}")
    broker_port, home_port = free_port(), free_port()
    try:
        await start_broker(processes, folder, broker_port)
        config = folder / "home"
        make_folder(config, home_port)
        with (config / "configuration.yaml").open("a") as file:
            file.write(more)
        program = await start_home_assistant(processes, config)
        rigs = {
            name: Rig(name, folder, processes, broker_port, lines)
            for name, lines in programs.items()
        }
        await until_started(program, home_port)
        url = f"http://{HOST}:{home_port}"
        async with HomeAssistant(url, await log_in_as_owner(url, "owner", "owner")) as home:
            house = House(home, config)
            await newcomer.add_broker(home, broker_port)
            for rig in rigs.values():
                await rig.start()
                await house.accept(rig)
            yield house, rigs
    finally:
        await processes.stop_all()
        if left := processes.leftovers():
            raise DemoError(f"still running: {'; '.join(left)}")
