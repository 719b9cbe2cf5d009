"""What tests of the bridge share: the small real model, a runner that serves it, and its API."""

import ctypes
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import openai
import pytest

from tests.bridge.serving import KEY, Api, Running, make_runner, running, served
from tests.simulators.fake_nvml import LIBRARY, build
from tools.paths import MODEL


@pytest.fixture(scope="session")
def small_model() -> Path:
    """SmolLM2-135M-Instruct: a real model that proves the plumbing and nothing about answers."""
    if not MODEL.is_file():
        pytest.skip("the small model is not fetched yet; ./dev test and ./dev demo do it")
    return MODEL


@pytest.fixture
async def runner(tmp_path: Path, small_model: Path) -> AsyncIterator[Running]:
    async with running(make_runner(tmp_path, small_model)) as started:
        yield started


@pytest.fixture
async def api(runner: Running) -> AsyncIterator[Api]:
    async with served(runner.runner) as serving:
        yield serving


@pytest.fixture(scope="session")
def fake_nvml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the fake driver's library."""
    return build(tmp_path_factory.mktemp("library"))


@pytest.fixture(scope="session")
def gpu_folder(tmp_path_factory: pytest.TempPathFactory, fake_nvml: Path) -> Iterator[Path]:
    """The folder of this process's fake cards: a library, once loaded, keeps its own."""
    place = tmp_path_factory.mktemp("gpus").resolve()
    ctypes.CDLL(str(fake_nvml / LIBRARY))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAKE_NVML_DIR", str(place))
        yield place


@pytest.fixture
async def idle_api(tmp_path: Path) -> AsyncIterator[Api]:
    """An API whose runner never runs: for what is decided before a runner is asked."""
    async with served(make_runner(tmp_path, tmp_path / "none.gguf")) as serving:
        yield serving


@pytest.fixture
async def client(api: Api) -> AsyncIterator[openai.AsyncOpenAI]:
    """OpenAI's own client, as Open WebUI and many others use it."""
    async with openai.AsyncOpenAI(
        base_url=f"{api.url}/v1", api_key=KEY, max_retries=0, timeout=60
    ) as official:
        yield official
