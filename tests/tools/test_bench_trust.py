"""How the trust bench counts: what was lost, and which figure of several stories counts."""

from tools.bench.trust.__main__ import gathered
from tools.bench.trust.scale import lost


def test_a_message_that_did_not_arrive_is_lost_and_one_from_before_is_not() -> None:
    # By topic: the first number heard, the last one, how many messages.
    heard = {"a": [7, 10, 3], "b": [1, 1, 1]}
    assert lost(heard, {"a": 10, "b": 1}) == 1
    assert lost(heard, {"a": 12, "b": 1}) == 3
    assert lost({}, {"a": 5}) == 5


def test_of_several_stories_the_worst_time_counts_and_faults_are_added_up() -> None:
    figures = [("reconnect_s_max", 1.0), ("orphans", 0.0), ("reconnect_s_max", 3.2)]
    assert gathered([*figures, ("orphans", 1.0)]) == {"orphans": 1.0, "reconnect_s_max": 3.2}
