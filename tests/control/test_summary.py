"""The house at a glance: only live rigs count, and what is wrong is said."""

from custom_components.hashcenter.rigs.rig import Rig
from custom_components.hashcenter.rigs.summary import problems, summarize
from custom_components.hashcenter.wire.messages import (
    Fault,
    HeaterState,
    InferenceState,
    Inventory,
    RigState,
)


def rig(rig_id: str = "attic", inventory: Inventory | None = None, **values: object) -> Rig:
    """Return a live rig."""
    said = {"boot_id": "boot-1", "tick": 1.0, "activity": "hashing", **values}
    heard = Rig(rig_id).apply(RigState.model_validate(said), retained=False)
    return heard.apply(inventory, retained=False) if inventory else heard


def doing(reason: str, power_w: float | None = None) -> tuple[HeaterState, ...]:
    return (HeaterState(id="machine", reason=reason, power_w=power_w),)


def test_watts_are_added_up_over_live_rigs() -> None:
    house = summarize(
        [
            ("Attic", rig(power_w=400.0, hashing_w=300.0, idle_w=100.0)),
            ("Cellar", rig("cellar", power_w=100.0, answering_w=50.0)),
            ("Gone", rig("gone", power_w=1000.0).silent()),
        ],
        stopped=False,
    )
    assert (house.power_w, house.hashing_w, house.answering_w, house.idle_w) == (500, 300, 50, 100)


def test_a_sum_of_nothing_is_unknown() -> None:
    house = summarize([("Attic", rig().silent())], stopped=False)
    assert house.power_w is None
    assert house.tokens_per_joule is None
    assert not house.inference_available
    assert house.why == "No rig is connected."


def test_the_house_answers_if_any_rig_does_and_as_soon_as_the_quickest() -> None:
    slow = InferenceState(available=True, first_token_s=9.0, tokens_per_s=10, tokens_per_joule=0.1)
    quick = InferenceState(available=True, first_token_s=0.5, tokens_per_s=40, tokens_per_joule=0.2)
    away = InferenceState(available=False, first_token_s=0.1)
    rigs = [("A", rig(inference=slow)), ("B", rig(inference=quick)), ("C", rig(inference=away))]
    house = summarize(rigs, stopped=False)
    assert house.inference_available
    assert house.first_token_s == 0.5
    assert house.tokens_per_s == 50
    assert house.tokens_per_joule == 50 / (10 / 0.1 + 40 / 0.2)


def test_one_rig_says_why_in_its_own_words() -> None:
    house = summarize([("Attic", rig(heaters=doing("cooling down first")))], stopped=False)
    assert house.why == "Cooling down first."


def test_of_several_rigs_the_one_that_draws_most_speaks_first() -> None:
    rigs = [
        ("Attic", rig(heaters=doing("idle", 50.0))),
        ("Cellar", rig("cellar", heaters=doing("Hashing as asked!", 900.0))),
    ]
    assert summarize(rigs, stopped=False).why == "Cellar: Hashing as asked! Attic: idle."


def test_rigs_without_a_reason_are_asked_for_nothing() -> None:
    assert summarize([("Attic", rig())], stopped=False).why == "Nothing is asked of any rig."


def test_a_stop_is_the_reason_for_everything_wherever_it_came_from() -> None:
    latched = summarize([("Attic", rig(heaters=doing("x")))], stopped=True)
    by_its_owner = summarize([("Attic", rig(stopped=True))], stopped=False)
    assert latched.stopped
    assert by_its_owner.stopped
    assert latched.why == by_its_owner.why == "Stop all is in force until a person releases it."


def test_nothing_wrong_is_nothing_said() -> None:
    assert problems({"attic": ("Attic", rig())}, {}) == []


def test_faults_silence_refusals_and_withheld_control_are_problems() -> None:
    fault = Fault(code="xid", text="GPU 0 reports XID 79", since_s=60.0, uid="GPU-1")
    withheld = Inventory(
        boot_id="boot-1",
        protocol=1,
        min_protocol=1,
        version="0.1.0",
        name="Attic",
        allow_control=True,
        control_refused="unattended_w does not fit the circuit",
    )
    found = problems(
        {
            "attic": ("Attic", rig(inventory=withheld, faults=(fault,))),
            "gone": ("Garage", rig("gone").silent().given_up()),
            "away": ("Shed", rig("away").silent()),
        },
        {("attic", "machine"): "Attic refuses: held by another house."},
    )
    assert [(one.text, one.age_s) for one in found] == [
        ("Attic: GPU 0 reports XID 79", 60.0),
        ("Attic: unattended_w does not fit the circuit", None),
        ("Garage: not connected", 60.0),
        ("Attic refuses: held by another house.", None),
    ]
    assert len({one.key for one in found}) == 4
