"""What tests of the bridge share: the small real model."""

from pathlib import Path

import pytest

from tools.paths import MODEL


@pytest.fixture(scope="session")
def small_model() -> Path:
    """SmolLM2-135M-Instruct: a real model that proves the plumbing and nothing about answers."""
    if not MODEL.is_file():
        pytest.skip("the small model is not fetched yet; ./dev test and ./dev demo do it")
    return MODEL
