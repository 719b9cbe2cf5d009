"""The heat-loss coefficient of a room, in W/K, learned from whole days of measured heat.

Over 24 h in which the room ends as warm as it began, heat in is heat out: the coefficient is the
measured mean watts over the mean difference to the outdoors. Sun and people lower it a little,
which is right: it is what the heaters have to add. A day with an open window, with the back-up on
or without an outdoor temperature does not count.
"""

from dataclasses import replace
from typing import Final

from .state import Learned

#: Before anything is learned: heaters are usually sized for this difference.
DESIGN_DIFFERENCE_K: Final = 30.0
_DAY_S: Final = 86_400.0
_SAME_K: Final = 0.5
_LEAST_DIFFERENCE_K: Final = 5.0
_MEMORY_DAYS: Final = 10.0


def coefficient_w_per_k(learned: Learned, installed_w: float, given: float | None) -> float:
    """Return the coefficient to work with: the owner's, the learned one, or a first guess."""
    if given is not None:
        return given
    guess = installed_w / DESIGN_DIFFERENCE_K
    if learned.weight <= 0:
        return guess
    # One odd day must not make the room unheatable.
    return min(max(learned.coefficient_w_per_k, guess / 4), guess * 4)


def learn(
    learned: Learned,
    *,
    heat_w: float,
    room_c: float,
    outdoor_c: float | None,
    counts: bool,
    dt_s: float,
) -> Learned:
    """Return what is known after another `dt_s` seconds; `counts` is False in a day to forget."""
    if outdoor_c is None or not counts:
        return _new_day(learned)
    first_c = room_c if learned.first_c is None else learned.first_c
    learned = replace(
        learned,
        seconds=learned.seconds + dt_s,
        heat_j=learned.heat_j + heat_w * dt_s,
        difference_ks=learned.difference_ks + (room_c - outdoor_c) * dt_s,
        first_c=first_c,
    )
    if learned.seconds < _DAY_S:
        return learned
    steady = abs(room_c - first_c) <= _SAME_K
    if not steady or learned.difference_ks < _LEAST_DIFFERENCE_K * learned.seconds:
        return _new_day(learned)
    weight = min(learned.weight + 1.0, _MEMORY_DAYS)
    of_day = learned.heat_j / learned.difference_ks
    known = learned.coefficient_w_per_k
    return _new_day(
        replace(learned, coefficient_w_per_k=known + (of_day - known) / weight, weight=weight)
    )


def _new_day(learned: Learned) -> Learned:
    return Learned(coefficient_w_per_k=learned.coefficient_w_per_k, weight=learned.weight)
