"""Home Assistant's harness, set up for this repository's integration."""

import pytest

import custom_components  # noqa: F401 - ours, before the harness's own package of that name


@pytest.fixture(autouse=True)
def _integration_is_found(request: pytest.FixtureRequest) -> None:
    if "hass" not in request.fixturenames:
        return
    if "recorder_mock" in request.fixturenames:
        request.getfixturevalue("recorder_mock")  # it has to come before hass
    request.getfixturevalue("enable_custom_integrations")


@pytest.fixture
def expected_lingering_timers() -> bool:
    """The MQTT integration's own timer outlives a test; the harness excuses core's tests only."""
    return True
