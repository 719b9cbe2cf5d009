"""Requests are signed wherever the rig's key is known, as the bridge's own intake checks them."""

from functools import partial
from pathlib import Path

import pytest
from homeassistant.components.mqtt import ReceiveMessage, async_subscribe
from homeassistant.core import HomeAssistant, callback
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.hashcenter.control.requests import HeaterKey
from custom_components.hashcenter.errors import RigRefused
from custom_components.hashcenter.wire import topics
from custom_components.hashcenter.wire.codec import decode
from custom_components.hashcenter.wire.messages import Response
from hashcenter_bridge.intake import Intake, Situation
from hashcenter_bridge.key import Keys, renew
from tests.component.rigs import ATTIC, ScriptedRig, fire_burst, house_of, live_rig
from tests.component.test_repairs import fix, flows, raised, set_up, subentry_of

pytestmark = pytest.mark.usefixtures("mqtt_mock")

HEATER = HeaterKey(ATTIC, "machine")


class Strict:
    """A rig that takes only signed requests, as a bridge judges them."""

    def __init__(self, hass: HomeAssistant, folder: Path) -> None:
        self.rig = ScriptedRig(hass)
        self.rig.inventory = self.rig.inventory.model_copy(update={"signed_requests": True})
        self.key = renew(folder)
        self.codes: list[str] = []
        self._intake = Intake(self._situation, partial(Keys(folder).signed, ATTIC))

    def _situation(self) -> Situation:
        return Situation(
            boot_id=self.rig.boot_id,
            tick=self.rig.tick,
            controller=None,
            allow_control=True,
            control_refused=None,
            stopped=False,
            heaters=frozenset({"machine"}),
            restartable=frozenset(),
            max_ttl_s=300.0,
        )

    async def listen(self) -> None:
        """Hear requests from now on, and be heard."""
        await async_subscribe(self.rig.hass, topics.REQUEST.of(ATTIC), self._take, 1)
        fire_burst(self.rig)
        await self.rig.hass.async_block_till_done()

    @callback
    def _take(self, received: ReceiveMessage) -> None:
        taken = self._intake.take(str(received.payload).encode(), retained=False)
        self.codes.append(taken.code)
        assert taken.response is not None
        said = decode(Response, taken.response.model_dump_json(exclude_none=True))
        self.rig.say(topics.RESPONSE, said)


@pytest.fixture
def strict(hass: HomeAssistant, tmp_path: Path) -> Strict:
    """Return a rig that nobody hears yet."""
    return Strict(hass, tmp_path)


async def heat(entry: MockConfigEntry) -> None:
    """Ask for heat, and for everything else that can be asked."""
    heating = house_of(entry).heating
    await heating.async_request_heat(HEATER, 600)
    await heating.async_release_heat(HEATER)
    await heating.async_stop_all(engaged=True)
    await heating.async_stop_all(engaged=False)


async def test_with_the_rigs_key_everything_is_signed(
    hass: HomeAssistant, strict: Strict, issue_registry: ir.IssueRegistry
) -> None:
    entry = await set_up(hass, strict.key)
    await strict.listen()
    await heat(entry)
    assert set(strict.codes) == {"accepted"}
    assert raised(issue_registry) == set()


async def test_a_rig_that_does_not_ask_for_it_hears_the_same(hass: HomeAssistant) -> None:
    entry = await set_up(hass, "hc-key")
    rig = await live_rig(hass)
    await heat(entry)
    assert {one.kind for one in rig.asked} == {"lease", "release", "stop_all"}


async def test_without_the_key_a_repair_asks_for_it_and_a_stop_still_stops(
    hass: HomeAssistant, strict: Strict, issue_registry: ir.IssueRegistry
) -> None:
    # A rig that only heats: there is nothing to try the key on.
    strict.rig.inventory = strict.rig.inventory.model_copy(update={"endpoint": None})
    entry = await set_up(hass, None, None)
    await strict.listen()
    assert raised(issue_registry) == {"unsigned_attic"}
    with pytest.raises(RigRefused) as refused:
        await house_of(entry).heating.async_request_heat(HEATER, 600)
    assert refused.value.code == "unsigned"
    await house_of(entry).heating.async_stop_all(engaged=True)
    assert strict.codes[-1] == "accepted"

    flow = await fix(hass, "unsigned_attic")
    assert flow["step_id"] == "key"
    done = await flows(hass).async_configure(flow["flow_id"], {"key": strict.key})
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert subentry_of(entry)["key"] == strict.key
    await hass.async_block_till_done()
    fire_burst(strict.rig)
    await hass.async_block_till_done()
    assert raised(issue_registry) == set()
    await house_of(entry).heating.async_stop_all(engaged=False)
    assert strict.codes[-1] == "accepted"


async def test_a_key_of_yesterday_is_asked_for_anew(
    hass: HomeAssistant, strict: Strict, issue_registry: ir.IssueRegistry
) -> None:
    entry = await set_up(hass, "hc-of-yesterday")
    await strict.listen()
    with pytest.raises(RigRefused) as refused:
        await house_of(entry).heating.async_request_heat(HEATER, 600)
    assert refused.value.code == "wrong_signature"
    assert raised(issue_registry) == {"wrong_key_attic"}
