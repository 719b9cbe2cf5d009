"""Every test that asks for `wire` runs against both copies."""

import pytest

from tests.wire.speech import PACKAGES, Copy


@pytest.fixture(params=PACKAGES, ids=["bridge", "integration"], scope="session")
def wire(request: pytest.FixtureRequest) -> Copy:
    """One copy of the wire."""
    return Copy(request.param)
