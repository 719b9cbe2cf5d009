"""What `hashcenter doctor` proves of models: a real answer, and that nothing gets out."""

from pathlib import Path

import pytest

from hashcenter_bridge import locality
from hashcenter_bridge.doctor import models
from hashcenter_bridge.doctor.running import Bridge
from tests.bridge.doctor.owner import by_check, loaded
from tests.bridge.serving import KEY, MODEL, Api

RUNNER = '[[runner]]\nplugin = "xllamacpp"\nname = "voice"\ngpus = []\nalias = "{alias}"\n'


def with_model(folder: Path, model: Path, port: int) -> str:
    state = folder / "state"
    state.mkdir()
    (state / "key").write_text(KEY)
    return f'[http]\nport = {port}\n{RUNNER.format(alias=MODEL)}model = "{model}"'


@pytest.fixture
def _runs(monkeypatch: pytest.MonkeyPatch) -> None:
    async def here(_: object) -> Bridge:
        return Bridge("boot", 60, 0, None, None)

    monkeypatch.setattr(models, "bridge", here)


@pytest.mark.usefixtures("_runs")
async def test_a_real_model_is_asked_through_the_bridges_own_api(
    tmp_path: Path, api: Api, small_model: Path
) -> None:
    port = int(api.url.rpartition(":")[2])
    found = by_check(
        await models.weights(*loaded(tmp_path, with_model(tmp_path, small_model, port)))
    )
    assert found["runner voice"].result == "ok"
    answer = found["answer of voice"]
    assert answer.result == "ok", answer.text
    assert answer.text.endswith(" tokens/s")
    assert [ticket.priority for ticket in api.closed] == [2]


@pytest.mark.usefixtures("_runs")
async def test_an_api_that_refuses_is_a_failure_in_its_own_words(
    tmp_path: Path, idle_api: Api, small_model: Path
) -> None:
    port = int(idle_api.url.rpartition(":")[2])
    more = with_model(tmp_path, small_model, port)
    (tmp_path / "state/key").write_text("another key")
    found = by_check(await models.weights(*loaded(tmp_path, more)))["answer of voice"]
    assert found.result == "failed"
    assert "401" in found.text


@pytest.mark.usefixtures("_runs")
async def test_an_api_that_is_not_there_is_a_failure(tmp_path: Path, small_model: Path) -> None:
    more = with_model(tmp_path, small_model, 9)
    found = by_check(await models.weights(*loaded(tmp_path, more)))["answer of voice"]
    assert found.result == "failed"


async def test_without_a_bridge_nothing_is_asked(tmp_path: Path, small_model: Path) -> None:
    more = with_model(tmp_path, small_model, 9)
    found = by_check(await models.weights(*loaded(tmp_path, more)))["answers"]
    assert found.result == "warning"
    assert "start it" in found.text


async def test_a_test_program_proves_that_nothing_gets_out(tmp_path: Path) -> None:
    runner = RUNNER.format(alias="small") + 'model = "/none.gguf"'
    found = by_check(await models.network(*loaded(tmp_path, runner)))["network of models"]
    if await locality.possible() is None:
        assert found.result == "ok"
        assert "a test could not get out of it" in found.text
    else:
        assert found.result == "warning"
        assert "docs/security.md" in found.text


async def test_a_model_with_this_machines_network_is_said(tmp_path: Path) -> None:
    runner = RUNNER.format(alias="small") + 'model = "/none.gguf"\nnetwork = "host"'
    found = by_check(await models.network(*loaded(tmp_path, runner)))["network of voice"]
    assert found.result == "warning"
    assert "could leave" in found.text
