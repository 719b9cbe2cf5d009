"""A sentence is said at once when its limit is another one, and does not flicker otherwise."""

from custom_components.hashcenter.control.explain import sentence, tilt_sentence
from custom_components.hashcenter.control.tilt import TiltCode, TiltReason
from custom_components.hashcenter.control.wanted import Limit, LimitCode
from custom_components.hashcenter.entities.wording import Wording


def demand(power_w: float) -> Limit:
    """Return a limit whose figures change with every decision."""
    return Limit(LimitCode.DEMAND, {"power_w": power_w})


def test_other_figures_wait_a_quarter_of_an_hour() -> None:
    wording = Wording(sentence)
    assert wording.say(demand(400.0), 0.0) == "The room gets the 400 W it needs."
    assert wording.say(demand(450.0), 899.0) == "The room gets the 400 W it needs."
    assert wording.say(demand(450.0), 900.0) == "The room gets the 450 W it needs."


def test_another_limit_and_another_circuit_are_said_at_once() -> None:
    wording = Wording(sentence)
    wording.say(demand(400.0), 0.0)
    full = Limit(LimitCode.CIRCUIT, {"circuit": "Attic", "limit_w": 2_000.0})
    assert wording.say(full, 1.0) == "The circuit Attic is full."
    other = Limit(LimitCode.CIRCUIT, {"circuit": "Main", "limit_w": 2_000.0})
    assert wording.say(other, 2.0) == "The circuit Main is full."
    assert wording.say(None, 3.0) is None


def test_a_sentence_fits_into_a_state() -> None:
    long = Limit(LimitCode.AVAILABLE, {"available_w": 0.0, "why": "because " * 60})
    said = Wording(sentence).say(long, 0.0)
    assert said
    assert len(said) == 255


def test_temperatures_are_said_in_what_the_house_speaks() -> None:
    warm = Limit(LimitCode.HIGH_LIMIT, {"temp_c": 28.5, "limit_c": 28.0})
    assert sentence(warm) == "28.5 °C is above the high limit of 28.0 °C."
    assert sentence(warm, fahrenheit=True) == "83.3 °F is above the high limit of 82.4 °F."
    cold = TiltReason(TiltCode.COLD, {"outdoor_c": -10.0, "limit_c": 0.0})
    said = tilt_sentence(cold, fahrenheit=True)
    assert said == "It is 14.0 °F outside, below 32.0 °F."
    full = Limit(LimitCode.CIRCUIT, {"circuit": "c"})
    assert sentence(full, {"c": "Attic"}, fahrenheit=True) == "The circuit Attic is full."
