"""Rules of a runner, held by llama.cpp itself with the small real model."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from hashcenter_bridge.child import ChildState
from hashcenter_bridge.errors import ConfigError, PluginUnavailable
from hashcenter_bridge.plugin import PluginContext
from hashcenter_bridge.registry import load
from hashcenter_bridge.runners.upstream import session
from tests.bridge.serving import MODEL, Running, make_runner, running, wanted

#: Of SmolLM2-135M-Instruct.Q4_1.gguf.
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


async def ask(runner: Running, **question: Any) -> dict[str, Any]:
    body = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 4, **question}
    upstream = runner.runner.upstream
    async with (
        session(upstream) as client,
        client.post(f"{upstream.base_url}/chat/completions", json=body) as response,
    ):
        answer: dict[str, Any] = await response.json()
        return answer


def sockets(pid: int) -> set[str]:
    """Return the inodes of the sockets that a process holds."""
    links = {link.readlink().name for link in Path(f"/proc/{pid}/fd").iterdir()}
    return {name[8:-1] for name in links if name.startswith("socket:[")}


def network_sockets() -> set[str]:
    """Return the inodes of all sockets that are not UNIX sockets."""
    tables = [Path(f"/proc/net/{protocol}") for protocol in ("tcp", "tcp6", "udp", "udp6")]
    lines = [line for table in tables for line in table.read_text().splitlines()[1:]]
    return {line.split()[9] for line in lines}


@pytest.fixture
def altered(tmp_path: Path, small_model: Path) -> Path:
    """The small model with one bit turned over."""
    weights = bytearray(small_model.read_bytes())
    weights[-1] ^= 1
    file = tmp_path / "altered.gguf"
    file.write_bytes(weights)
    return file


def put_back(right: Path, file: Path) -> None:
    file.unlink()
    file.symlink_to(right)


@pytest.fixture
def cut(tmp_path: Path, small_model: Path) -> Path:
    """The beginning of the small model, as a download leaves it that was cut off."""
    file = tmp_path / "cut.gguf"
    file.write_bytes(small_model.read_bytes()[:5_000_000])
    return file


async def test_it_serves_the_model_under_its_alias(tmp_path: Path, small_model: Path) -> None:
    runner = make_runner(tmp_path, small_model, sha256=SHA256)
    (model,) = runner.models
    assert (model.id, model.sha256, model.context_tokens) == (MODEL, SHA256, 2048)
    assert model.size_bytes == 98_362_432
    async with running(runner) as started:
        answer = await ask(started)
        assert answer["model"] == MODEL
        assert answer["choices"][0]["message"]["content"]


async def test_only_its_owner_can_reach_it(tmp_path: Path, small_model: Path) -> None:
    async with running(make_runner(tmp_path, small_model)) as started:
        socket = started.runner.upstream.unix_socket
        assert socket is not None
        assert socket.stat().st_mode & 0o777 == 0o700
        assert started.child.pid is not None
        assert sockets(started.child.pid), "a server has a socket"
        assert sockets(started.child.pid).isdisjoint(network_sockets())


async def test_a_socket_left_behind_does_not_stop_it(tmp_path: Path, small_model: Path) -> None:
    (tmp_path / "voice.sock").write_text("left behind")
    async with running(make_runner(tmp_path, small_model)) as started:
        assert await started.slots_in_use() == 0


async def test_checking_the_weights_does_not_disturb_a_program_that_runs(
    tmp_path: Path, small_model: Path
) -> None:
    async with running(make_runner(tmp_path, small_model)) as started:
        await make_runner(tmp_path, small_model).verify()
        assert await started.runner.ready()


async def test_each_of_two_questions_may_use_all_of_the_context(
    tmp_path: Path, small_model: Path
) -> None:
    runner = make_runner(tmp_path, small_model, context_tokens=512, slots=2)
    async with running(runner) as started:
        # More than half of the context, so that an even split would refuse it.
        long = [{"role": "user", "content": "warm " * 350}]
        answers = await asyncio.gather(ask(started, messages=long), ask(started))
        assert answers[0]["usage"]["prompt_tokens"] > 350
        assert all(answer["usage"]["completion_tokens"] > 0 for answer in answers)


async def test_the_context_is_no_larger_than_the_model_was_made_for(
    tmp_path: Path, small_model: Path
) -> None:
    (model,) = make_runner(tmp_path, small_model, context_tokens=1_000_000).models
    assert model.context_tokens == 8192


async def test_altered_weights_are_refused_and_the_right_ones_are_taken(
    tmp_path: Path, small_model: Path, altered: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hashcenter_bridge.child.CHECK_AGAIN_S", 0.1)
    async with wanted(make_runner(tmp_path, altered, sha256=SHA256)) as started:
        await started.until(ChildState.FAILED)
        assert f"{altered} is not the one you verified" in started.child.why
        assert started.child.pid is None
        put_back(small_model, altered)
        await started.until(ChildState.READY)
        assert (await ask(started))["choices"]


async def test_a_model_that_cannot_be_loaded_says_so(tmp_path: Path, cut: Path) -> None:
    async with wanted(make_runner(tmp_path, cut)) as started:
        await started.until(ChildState.FAILED)
        assert f"exit code 1: llama.cpp cannot serve {cut}" in started.child.why


async def test_it_is_not_ready_while_nobody_listens(tmp_path: Path, small_model: Path) -> None:
    runner = make_runner(tmp_path, small_model)
    with pytest.raises(OSError, match=r"voice\.sock"):
        await runner.ready()
    await runner.close()


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"model": "models/some.gguf"}, "whole path"),
        ({"sha256": "b179c952"}, "sha256"),
        ({"slots": 0}, "slots"),
        ({"contxt": 4096}, "contxt"),
        ({"extra_args": ["--api-key", "x"]}, "extra_args"),
    ],
)
def test_a_mistake_in_its_block_is_named(keys: dict[str, Any], said: str) -> None:
    block = {"plugin": "xllamacpp", "name": "voice", "model": "/models/some.gguf", **keys}
    with pytest.raises(ValidationError, match=said):
        load("runners", "xllamacpp").Config.model_validate(block)


def test_a_folder_too_deep_for_a_socket_is_named(tmp_path: Path) -> None:
    plugin = load("runners", "xllamacpp")
    config = plugin.Config(plugin="xllamacpp", name="voice", model=Path("/models/some.gguf"))
    with pytest.raises(ConfigError, match="runtime_folder is too long"):
        plugin(config, (), PluginContext(tmp_path, tmp_path / ("x" * 100)))


def test_a_missing_library_is_named_with_the_way_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hashcenter_bridge.runners.llama.find_spec", lambda _: None)
    with pytest.raises(PluginUnavailable, match=r"hashcenter-bridge\[xllamacpp\]"):
        make_runner(tmp_path, tmp_path / "some.gguf")


def test_nothing_secret_is_in_its_command(tmp_path: Path) -> None:
    runner = make_runner(tmp_path, tmp_path / "some.gguf")
    assert runner.child is not None
    settings = json.loads(runner.child.argv[-1])
    assert set(settings) >= {"model", "socket", "context_tokens", "slots"}
    assert not any("key" in name for name in settings)


async def test_another_template_takes_the_place_of_the_one_in_the_weights(
    tmp_path: Path, small_model: Path
) -> None:
    template = tmp_path / "own.jinja"
    template.write_text("{% for one in messages %}[{{ one.role }}] {{ one.content }}{% endfor %}")
    runner = make_runner(tmp_path, small_model, chat_template=str(template))
    async with running(runner) as started:
        upstream = started.runner.upstream
        asked = {"messages": [{"role": "user", "content": "Hello."}]}
        async with (
            session(upstream) as client,
            client.post(f"{upstream.root_url}/apply-template", json=asked) as response,
        ):
            assert (await response.json())["prompt"] == "[user] Hello."
