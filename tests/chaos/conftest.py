"""What the stories share: how long they are, the fake driver, and where figures go.

HASHCENTER_TEST_LONG=1 tells them in full length (about half an hour); without it the same faults
come shorter and seldom.
"""

import os
from pathlib import Path
from typing import Final

import pytest

from tests.chaos.scene import Figure
from tests.simulators.fake_nvml import build

LONG: Final = os.environ.get("HASHCENTER_TEST_LONG") == "1"


@pytest.fixture(scope="session")
def long() -> bool:
    """Whether the stories are told in full length."""
    return LONG


@pytest.fixture(scope="session")
def fake_nvml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the fake library."""
    return build(tmp_path_factory.mktemp("fake-nvml"))


@pytest.fixture
def figure(record_property: Figure) -> Figure:
    """Note a measured value; `./dev bench trust` gathers them."""
    return record_property
