"""The house's prompt is kept ready by a real runner with the small real model."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from hashcenter_bridge import prompts
from hashcenter_bridge.prefix import PromptKeeper, static
from hashcenter_bridge.runners import KeepsPrompts
from tests.bridge.serving import Api, Running, make_runner, running, served

CHAT = "/v1/chat/completions"
HOUSE = "\n".join(f"- lamp {number} is in room {number % 7}" for number in range(60))
VOICE = {"X-Hashcenter-Priority": "voice"}


def asked(words: str, house: str = HOUSE) -> dict[str, Any]:
    """Return a question as a house asks it."""
    messages = [{"role": "system", "content": house}, {"role": "user", "content": words}]
    return {"messages": messages, "max_tokens": 2, "temperature": 0, "ignore_eos": True}


def states(folder: Path) -> list[Path]:
    """Return the saved states in a rig's folder."""
    return list(folder.glob("prompts/voice/*.kv"))


@dataclass
class House:
    """A runner, its API and its keeper, stepped often, as the bridge's loop does."""

    runner: Running
    api: Api
    keeper: PromptKeeper
    client: aiohttp.ClientSession
    speaking: bool = False
    steps: list[asyncio.Task[None]] = field(default_factory=list)

    async def ask(self, words: str, house: str = HOUSE) -> tuple[int, int]:
        """Ask by voice; return how many tokens the prompt has and how many were read already."""
        async with self.client.post(CHAT, json=asked(words, house), headers=VOICE) as response:
            usage = (await response.json())["usage"]
        return usage["prompt_tokens"], usage["prompt_tokens_details"]["cached_tokens"]

    async def until(self, holds: Callable[[], object]) -> None:
        """Step until something is so."""
        async with asyncio.timeout(60):
            while not holds():
                self.step()
                await asyncio.sleep(0.02)

    def step(self) -> None:
        """Do what the loop does."""
        self.keeper.step(
            active=True, busy=bool(self.api.open) or self.speaking, urgent=self.api.warmth.active
        )


@asynccontextmanager
async def at_home(folder: Path, model: Path, **keys: Any) -> AsyncIterator[House]:
    """Start a runner whose states are in `folder`, restore what is saved, and serve it."""
    made = make_runner(folder, model, **keys)
    assert isinstance(made, KeepsPrompts)
    async with running(made) as runner:
        keeper = PromptKeeper(made, time.monotonic, lambda: None)
        await keeper.prepare()
        async with served(made, keepers={"voice": keeper}) as api, api.client() as client:
            yield House(runner, api, keeper, client)
        await keeper.close()


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Save at once what would wait five minutes."""
    for name in ("UNCHANGED_S", "QUIET_S", "PAUSE_S"):
        monkeypatch.setattr(prompts, name, 0.0)


@pytest.mark.usefixtures("hurried")
async def test_the_first_question_after_a_restart_finds_the_prompt_read(
    tmp_path: Path, small_model: Path
) -> None:
    async with at_home(tmp_path, small_model) as house:
        total, cached = await house.ask("Turn on lamp 4.")
        assert cached == 0
        await house.until(lambda: states(tmp_path))
    async with at_home(tmp_path, small_model) as house:
        assert house.keeper.warm
        assert house.keeper.restore_s is not None
        total, cached = await house.ask("Turn off lamp 9.")
        assert total - cached < 20


@pytest.mark.usefixtures("hurried")
async def test_nobodys_words_are_saved(tmp_path: Path, small_model: Path) -> None:
    async with at_home(tmp_path, small_model) as house:
        total, _ = await house.ask("My secret is a very long sentence about zebras and oceans.")
        await house.until(lambda: states(tmp_path))
        (saved,) = house.keeper._prompts.values()
        slots = house.keeper._slots
        said = await slots._post("/detokenize", {"tokens": list(saved.tokens)})
        assert "lamp 59" in said["content"]
        assert "secret" not in said["content"]
        (state,) = states(tmp_path)
        assert state.stat().st_mode & 0o777 == 0o600
        assert await slots.restore(1, state.name) == len(saved.tokens) < total


async def test_a_prompt_that_was_announced_is_read_before_the_words_are_there(
    tmp_path: Path, small_model: Path
) -> None:
    async with at_home(tmp_path, small_model) as house:
        body = {"id": "kitchen", **asked("")}
        async with house.client.post("/hashcenter/warm", json=body) as response:
            assert (await response.json())["warm"] is True
        assert house.api.warmth.active
        await house.until(lambda: house.keeper.warm)
        total, cached = await house.ask("Turn on lamp 4.")
        assert total - cached < 20


async def test_a_renamed_lamp_is_read_in_the_background(tmp_path: Path, small_model: Path) -> None:
    async with at_home(tmp_path, small_model) as house:
        await house.ask("Turn on lamp 4.")
        renamed = HOUSE.replace("lamp 30", "moon lamp")
        body = {"background": True, **asked("", renamed)}
        async with house.client.post("/hashcenter/warm", json=body) as response:
            assert response.status == 200
        assert not house.api.warmth.active
        await house.until(lambda: len(house.keeper._prompts) == 2)
        house.keeper._spoken_at -= prompts.PAUSE_S
        await house.until(lambda: house.keeper.warm)
        total, cached = await house.ask("Turn on the moon lamp.", renamed)
        assert total - cached < 30


async def test_reading_ahead_ends_at_once_when_somebody_asks(
    tmp_path: Path, small_model: Path
) -> None:
    long = "\n".join(f"- lamp {number} is in room {number % 7}" for number in range(140))
    async with at_home(tmp_path, small_model) as house:
        house.keeper.expect(asked("", long))
        await house.until(lambda: house.keeper._work is not None)
        await house.runner.until_slots_in_use(1)
        house.speaking = True
        house.step()
        await house.runner.until_slots_in_use(0)
        assert (await house.runner.slots())[0].get("n_prompt_tokens_processed", 0) < 1500
        assert not house.keeper.warm


async def test_a_task_in_the_only_slot_makes_it_restored_afterwards(
    tmp_path: Path, small_model: Path, hurried: None
) -> None:
    async with at_home(tmp_path, small_model, slots=1) as house:
        await house.ask("Turn on lamp 4.")
        await house.until(lambda: states(tmp_path))
        async with house.client.post(CHAT, json=asked("Hello.", "You rhyme.")) as response:
            assert response.status == 200
        assert not house.keeper.warm
        await house.until(lambda: house.keeper.warm)
        total, cached = await house.ask("Turn off lamp 9.")
        assert total - cached < 20


async def test_a_task_beside_it_leaves_the_prompt_where_it_is(
    tmp_path: Path, small_model: Path
) -> None:
    async with at_home(tmp_path, small_model, slots=2) as house:
        await house.ask("Turn on lamp 4.")
        house.api.grant = lambda ticket: ticket.grant("voice", 1)
        async with house.client.post(CHAT, json=asked("Hello.", "You rhyme.")) as response:
            assert response.status == 200
        house.api.grant = lambda ticket: ticket.grant("voice", 0)
        total, cached = await house.ask("Turn off lamp 9.")
        assert total - cached < 20


@pytest.mark.usefixtures("hurried")
async def test_a_prompt_that_a_large_task_pushed_out_is_read_again(
    tmp_path: Path, small_model: Path
) -> None:
    small = "\n".join(HOUSE.splitlines()[:24])
    async with at_home(tmp_path, small_model, slots=2, context_tokens=512) as house:
        await house.ask("Turn on lamp 4.", small)
        await house.until(lambda: house.keeper.warm)
        house.api.grant = lambda ticket: ticket.grant("voice", 1)
        large = asked("Sum this up: " + "rain and wind. " * 85, "Be brief.")
        async with house.client.post(CHAT, json=large) as response:
            assert response.status == 200
        assert not house.keeper.warm
        await house.until(lambda: house.keeper.warm)
        house.api.grant = lambda ticket: ticket.grant("voice", 0)
        total, cached = await house.ask("Turn off lamp 9.", small)
        assert total - cached < 20


@pytest.mark.usefixtures("hurried")
async def test_a_damaged_state_is_removed_and_made_anew(tmp_path: Path, small_model: Path) -> None:
    async with at_home(tmp_path, small_model) as house:
        await house.ask("Turn on lamp 4.")
        await house.until(lambda: states(tmp_path))
    (state,) = states(tmp_path)
    state.write_bytes(state.read_bytes()[:1000])
    async with at_home(tmp_path, small_model) as house:
        assert not house.keeper.warm
        assert not state.exists()
        house.keeper._failed_at = float("-inf")
        await house.until(state.exists)
        assert house.keeper.warm


async def test_a_house_that_saves_nothing_still_reads_ahead(
    tmp_path: Path, small_model: Path, hurried: None
) -> None:
    async with at_home(tmp_path, small_model, prompt_store_mib=0) as house:
        house.keeper.expect(asked(""))
        await house.until(lambda: house.keeper.warm)
        for _ in range(20):
            house.step()
            await asyncio.sleep(0.01)
        assert not states(tmp_path)


def test_what_comes_before_the_words_are_instructions_and_tools() -> None:
    messages = [
        {"role": "system", "content": "a"},
        {"role": "developer", "content": "b"},
        {"role": "user", "content": "c"},
        {"role": "system", "content": "d"},
    ]
    fields = {"messages": messages, "tools": [{"x": 1}], "temperature": 0, "tool_choice": None}
    assert static(fields) == {"messages": messages[:2], "tools": [{"x": 1}]}
