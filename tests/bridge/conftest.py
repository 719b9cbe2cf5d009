"""What tests of the bridge share: the small real model, a runner that serves it, and its API."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.bridge.serving import Api, Running, make_runner, running, served
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
