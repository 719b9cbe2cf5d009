"""What whole programs need: a broker, a pool, the fake NVML library."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.brokers import KINDS, Broker
from tests.simulators.fake_nvml import build
from tests.simulators.stratum_pool import StratumPool


@pytest.fixture(scope="session")
def fake_nvml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the fake library."""
    return build(tmp_path_factory.mktemp("fake-nvml"))


@pytest.fixture(params=KINDS)
async def broker(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Broker]:
    """A running broker, one kind after the other."""
    made = Broker(request.param, tmp_path)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def pool() -> AsyncIterator[StratumPool]:
    """A pool that checks every share."""
    async with StratumPool(difficulty=0.00003) as made:
        yield made
