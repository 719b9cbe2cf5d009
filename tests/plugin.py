"""What every test run shares: which tests a machine can run, and how hard hypothesis tries.

Loaded by pytest's `addopts`, here and in tests/component. With CI=true a skip counts as a failure,
so that nothing is lost unseen; exempt is only what a CI machine cannot have.
"""

import os
from collections.abc import Generator
from pathlib import Path
from typing import Final

import hypothesis
import pytest

_SHARED_FIXTURES: Final = Path(__file__).resolve().parents[2] / "shared/fixtures"
_IN_CI: Final = os.environ.get("CI", "").lower() == "true"
#: Marker -> the variable that says this machine has what its tests need.
_ON_REQUEST: Final = {
    "fleet": "HASHCENTER_TEST_FLEET",
    "gpu": "HASHCENTER_TEST_GPU",
    "llama_cpp_python": "HASHCENTER_TEST_LLAMA_CPP_PYTHON",
    "packages": "HASHCENTER_TEST_PACKAGES",
    "speech": "HASHCENTER_TEST_SPEECH",
}

# Deadlines measure the machine, which is shared; the same examples every time measure the code.
hypothesis.settings.register_profile("hashcenter", deadline=None, derandomize=_IN_CI)
hypothesis.settings.load_profile("hashcenter")


@pytest.fixture(scope="session")
def shared_fixtures() -> Path:
    """The folder of recorded device replies beside the clone; the test is skipped without it."""
    if not _SHARED_FIXTURES.is_dir():
        pytest.skip(_missing_fixtures())
    return _SHARED_FIXTURES


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what has to be asked for."""
    left_out = []
    for marker, variable in _ON_REQUEST.items():
        if os.environ.get(variable) != "1":
            left_out += [item for item in items if item.get_closest_marker(marker)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skipped test into a failed one in CI."""
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn a skipped module into a failed one in CI."""
    report = yield
    _refuse_skip(report)
    return report


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if not (_IN_CI and report.skipped) or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if _missing_fixtures() in reason and not _SHARED_FIXTURES.is_dir():
        return
    report.outcome = "failed"
    report.longrepr = f"Skipped where CI=true, so something is missing on this machine: {reason}"


def _missing_fixtures() -> str:
    return "the recorded device replies in ../shared/fixtures are not on this machine"
