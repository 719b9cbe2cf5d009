"""The blueprints, loaded from their files and run: real automations move our real entities."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.automation.helpers import async_get_blueprints
from homeassistant.core import HomeAssistant
from homeassistant.util.yaml import load_yaml_dict
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.hashcenter.wire.messages import LeaseRequest, ReleaseRequest
from tests.component.automating import FOLDER, automated, give_blueprints
from tests.component.rigs import ATTIC, ScriptedRig, live_rig, set_up_house, states

pytestmark = pytest.mark.usefixtures("mqtt_mock")

ROOT: Final = Path(__file__).parents[2]
NAMES: Final = sorted(path.name for path in FOLDER.glob("*.yaml"))

FAVOR = "select.hashcenter_favor"
REQUEST = "number.attic_heat_request"
POWER = "sensor.attic_power"
OUTDOOR = "sensor.outdoor"
SURPLUS = "sensor.surplus"

Automate = Callable[..., Awaitable[None]]
Pass = Callable[[float], Awaitable[None]]


@pytest.fixture
async def rig(hass: HomeAssistant, mqtt_mock: Any, freezer: FrozenDateTimeFactory) -> ScriptedRig:
    """Return the live rig of a house, on a day in November."""
    await hass.config.async_set_time_zone("UTC")
    freezer.move_to("2026-11-22 12:00:00+00:00")
    await set_up_house(hass, ATTIC)
    return await live_rig(hass)


@pytest.fixture
def automate(hass: HomeAssistant, rig: ScriptedRig, tmp_path: Path) -> Automate:
    """Make an automation of a blueprint."""
    return partial(automated, hass, tmp_path)


@pytest.fixture
def wait(hass: HomeAssistant, rig: ScriptedRig, freezer: FrozenDateTimeFactory) -> Pass:
    """Let minutes pass; the rig lives on."""

    async def minutes(number: float) -> None:
        for _ in range(round(number * 6)):
            freezer.tick(timedelta(seconds=10))
            rig.beat()
            async_fire_time_changed(hass)
            await hass.async_block_till_done(wait_background_tasks=True)

    return minutes


async def say(hass: HomeAssistant, entity_id: str, state: str) -> None:
    """Let something that is not ours say a state."""
    hass.states.async_set(entity_id, state)
    await hass.async_block_till_done()


@pytest.mark.parametrize("name", NAMES)
async def test_every_blueprint_is_valid_and_says_what_its_inputs_are(
    hass: HomeAssistant, tmp_path: Path, name: str
) -> None:
    give_blueprints(hass, tmp_path)
    found = await async_get_blueprints(hass).async_get_blueprint(f"hashcenter/{name}")
    assert found.validate() is None
    assert found.metadata["name"].startswith("Hashcenter: ")
    assert found.metadata["homeassistant"] == {"min_version": "2026.11.0"}
    assert found.metadata["source_url"].endswith(f"/blueprints/automation/hashcenter/{name}")
    for key, one in found.inputs.items():
        assert one["name"], key
        assert one["selector"], key


def test_every_blueprint_is_described_and_can_be_imported() -> None:
    text = (ROOT / "docs/blueprints.md").read_text()
    for name in NAMES:
        path = f"blueprints/automation/hashcenter/{name}"
        assert path in text
        assert f"%2F{path.replace('/', '%2F')}" in text, "an import button"
    assert "docs/blueprints.md" in (ROOT / "README.md").read_text()


def test_there_are_six() -> None:
    assert len(NAMES) == 6
    assert all(load_yaml_dict(FOLDER / name)["mode"] for name in NAMES)


@pytest.fixture
async def cold_night(hass: HomeAssistant, automate: Automate) -> None:
    """Tilt on cold nights."""
    await say(hass, OUTDOOR, "5.0")
    await automate("cold_night_tilt", favor=FAVOR, outdoor=OUTDOOR, cold=0, warm=10)


@pytest.mark.usefixtures("cold_night")
async def test_a_cold_night_favors_inference_and_a_warm_one_hashing(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    freezer.move_to("2026-11-22 23:00:00+00:00")
    for outdoor, favor in (
        ("-3.0", "inference"),
        ("0.5", "inference"),
        ("1.5", "balanced"),
        ("12.0", "hashing"),
        ("9.5", "hashing"),
        ("8.5", "balanced"),
        ("unavailable", "balanced"),
        ("-3.0", "inference"),
        ("unknown", "inference"),
    ):
        await say(hass, OUTDOOR, outdoor)
        assert states(hass, FAVOR) == [favor], outdoor


@pytest.mark.usefixtures("cold_night")
async def test_a_cold_day_is_no_cold_night(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, wait: Pass
) -> None:
    await say(hass, OUTDOOR, "-9.0")
    assert states(hass, FAVOR) == ["balanced"]
    freezer.move_to("2026-11-22 19:59:00+00:00")
    await wait(2)
    assert states(hass, FAVOR) == ["inference"], "the night begins"
    freezer.move_to("2026-11-23 07:59:00+00:00")
    await wait(2)
    assert states(hass, FAVOR) == ["balanced"], "and ends"


@pytest.mark.usefixtures("cold_night")
async def test_the_favor_reaches_the_rig_with_its_lease(
    hass: HomeAssistant, rig: ScriptedRig, freezer: FrozenDateTimeFactory, wait: Pass
) -> None:
    freezer.move_to("2026-11-22 23:00:00+00:00")
    await wait(0.5)
    asked = {"entity_id": REQUEST, "power_w": 500}
    await hass.services.async_call("hashcenter", "request_heat", asked, blocking=True)
    rig.asked.clear()
    await say(hass, OUTDOOR, "-3.0")
    await wait(0.5)
    assert {one.favor for one in rig.asked if isinstance(one, LeaseRequest)} == {"inference"}


@pytest.fixture
async def surplus(hass: HomeAssistant, rig: ScriptedRig, automate: Automate) -> None:
    """Solar surplus as an interruptible load; the rig draws 60 W of its own."""
    rig.beat(power_w=60.0)
    await say(hass, SURPLUS, "0")
    await automate("solar_surplus", heater=REQUEST, draw=POWER, surplus=SURPLUS)


@pytest.mark.usefixtures("surplus")
async def test_surplus_that_lasts_is_heated_with_and_followed(
    hass: HomeAssistant, rig: ScriptedRig, wait: Pass
) -> None:
    await say(hass, SURPLUS, "800")
    await wait(9)
    assert rig.leases() == []
    await wait(2)
    assert states(hass, REQUEST) == ["760.0"], "a reserve of 100 W is left over"
    rig.beat(power_w=760.0)
    await say(hass, SURPLUS, "-150")
    await wait(1)
    assert states(hass, REQUEST) == ["510.0"], "what it draws already is part of the surplus"
    assert rig.leases()[-1] == 510.0
    rig.beat(power_w=510.0)
    await say(hass, SURPLUS, "5000")
    await wait(1)
    assert states(hass, REQUEST) == ["900.0"], "never more than the heater may draw"


@pytest.mark.usefixtures("surplus")
@pytest.mark.parametrize("end", ["-400", "unavailable", "unknown"])
async def test_without_a_surplus_the_heater_is_let_go_within_a_minute(
    hass: HomeAssistant, rig: ScriptedRig, wait: Pass, end: str
) -> None:
    await say(hass, SURPLUS, "600")
    await wait(12)
    rig.beat(power_w=500.0)
    await hass.async_block_till_done()
    rig.asked.clear()
    await say(hass, SURPLUS, end)
    await wait(1)
    assert type(rig.asked[-1]) is ReleaseRequest
    assert states(hass, REQUEST) == ["unknown"]


@pytest.mark.usefixtures("surplus")
async def test_a_passing_cloud_starts_nothing(
    hass: HomeAssistant, rig: ScriptedRig, wait: Pass
) -> None:
    for _ in range(5):
        await say(hass, SURPLUS, "900")
        await wait(4)
        await say(hass, SURPLUS, "50")
        await wait(1)
    assert rig.leases() == []


@pytest.mark.usefixtures("surplus")
async def test_with_the_automation_off_the_heat_ends_by_itself(
    hass: HomeAssistant, rig: ScriptedRig, wait: Pass
) -> None:
    await say(hass, SURPLUS, "600")
    await wait(12)
    assert states(hass, REQUEST) != ["unknown"]
    [automation] = hass.states.async_entity_ids("automation")
    await hass.services.async_call("automation", "turn_off", {"entity_id": automation})
    await wait(11)
    assert states(hass, REQUEST) == ["unknown"]


async def test_quiet_hours_hold_a_heater_down_and_let_it_go(
    hass: HomeAssistant,
    rig: ScriptedRig,
    automate: Automate,
    freezer: FrozenDateTimeFactory,
    wait: Pass,
) -> None:
    await automate("quiet_hours", heaters=[REQUEST], power=200)
    freezer.move_to("2026-11-22 21:59:00+00:00")
    await wait(2)
    assert states(hass, REQUEST) == ["200.0"]
    assert states(hass, "sensor.attic_heat_request_ends") == ["2026-11-23T07:01:00+00:00"]
    freezer.move_to("2026-11-23 06:59:00+00:00")
    rig.asked.clear()
    await wait(2)
    assert states(hass, REQUEST) == ["unknown"]
    assert ReleaseRequest in map(type, rig.asked)


async def test_a_rig_that_comes_back_in_quiet_hours_is_held_down_too(
    hass: HomeAssistant,
    rig: ScriptedRig,
    automate: Automate,
    freezer: FrozenDateTimeFactory,
    wait: Pass,
) -> None:
    await automate("quiet_hours", heaters=[REQUEST])
    freezer.move_to("2026-11-23 02:00:00+00:00")
    rig.say_offline()
    await hass.async_block_till_done()
    assert states(hass, REQUEST) == ["unavailable"]
    await wait(0.5)
    assert states(hass, REQUEST) == ["0.0"]


@pytest.fixture
async def voice(hass: HomeAssistant, automate: Automate) -> None:
    """Voice first while someone is home; two people, both away."""
    for person in ("person.ada", "person.grace"):
        await say(hass, person, "not_home")
    await automate("voice_first", favor=FAVOR, people=["person.ada", "person.grace"])


@pytest.mark.usefixtures("voice")
async def test_while_someone_is_home_answering_goes_first(hass: HomeAssistant, wait: Pass) -> None:
    await say(hass, "person.ada", "home")
    assert states(hass, FAVOR) == ["inference"]
    await say(hass, "person.grace", "home")
    await say(hass, "person.ada", "not_home")
    await wait(15)
    assert states(hass, FAVOR) == ["inference"]
    await say(hass, "person.grace", "Work")
    await wait(9)
    assert states(hass, FAVOR) == ["inference"], "not the moment the door closes"
    await wait(2)
    assert states(hass, FAVOR) == ["hashing"]


@pytest.mark.usefixtures("voice")
async def test_who_comes_back_soon_was_never_gone(hass: HomeAssistant, wait: Pass) -> None:
    await say(hass, "person.ada", "home")
    await say(hass, "person.ada", "not_home")
    await wait(5)
    await say(hass, "person.ada", "home")
    await wait(15)
    assert states(hass, FAVOR) == ["inference"]


@pytest.mark.usefixtures("voice")
async def test_somebody_whose_whereabouts_are_unknown_may_be_home(
    hass: HomeAssistant, wait: Pass
) -> None:
    await say(hass, "person.ada", "home")
    await say(hass, "person.ada", "unavailable")
    await wait(15)
    assert states(hass, FAVOR) == ["inference"]


PRICE = "input_number.price"


@pytest.fixture
async def prices(hass: HomeAssistant, automate: Automate) -> None:
    """Cheap hours and peak events."""
    await say(hass, PRICE, "0.20")
    await say(hass, "binary_sensor.peak", "off")
    await automate(
        "cheap_hours",
        price=PRICE,
        cheap=0.10,
        dear=0.30,
        peak=["binary_sensor.peak"],
        favor=[FAVOR],
        heaters=[REQUEST],
    )


@pytest.mark.usefixtures("prices")
async def test_cheap_hours_hash_and_store_heat_as_long_as_they_last(
    hass: HomeAssistant, wait: Pass
) -> None:
    await say(hass, PRICE, "0.05")
    assert states(hass, FAVOR, REQUEST) == ["hashing", "500.0"]
    await wait(150)
    assert states(hass, FAVOR, REQUEST) == ["hashing", "500.0"]
    await say(hass, PRICE, "0.15")
    assert states(hass, FAVOR, REQUEST) == ["balanced", "unknown"]


@pytest.mark.usefixtures("prices")
async def test_a_peak_event_ends_cheap_hours(hass: HomeAssistant) -> None:
    await say(hass, PRICE, "0.05")
    await say(hass, "binary_sensor.peak", "on")
    assert states(hass, FAVOR, REQUEST) == ["balanced", "unknown"]
    await say(hass, "binary_sensor.peak", "off")
    assert states(hass, FAVOR, REQUEST) == ["hashing", "500.0"]


@pytest.mark.usefixtures("prices")
async def test_a_price_that_is_not_known_changes_nothing(hass: HomeAssistant) -> None:
    await say(hass, PRICE, "0.05")
    await say(hass, PRICE, "unavailable")
    assert states(hass, FAVOR, REQUEST) == ["hashing", "500.0"]
