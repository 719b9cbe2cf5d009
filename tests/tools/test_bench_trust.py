"""How the trust bench counts: what was lost, how late a loop was, which figure of several counts."""

from collections import Counter

import pytest

from tools.bench.trust.__main__ import gathered
from tools.bench.trust.loop_probe import Probe, percentile_ms
from tools.bench.trust.scale import lost


def test_a_message_that_did_not_arrive_is_lost_and_one_from_before_is_not() -> None:
    probe = Probe()
    for number in (7, 8, 10):
        probe.hear("a", b'{"number":%d,"power_w":1.0}' % number)
    probe.hear("b", b'{"number":1}')
    probe.hear("c", b'{"power_w":1.0}')
    assert probe.heard == {"a": [7, 10, 3], "b": [1, 1, 1]}
    assert lost(probe.heard, {"a": 10, "b": 1}) == 1
    assert lost(probe.heard, {"a": 12, "b": 1}) == 3
    assert lost({}, {"a": 5}) == 5


def test_a_percentile_is_the_lag_that_so_many_moments_did_not_exceed() -> None:
    lags = Counter({5: 98, 2000: 2})
    assert percentile_ms(lags, 0.5) == pytest.approx(0.6)
    assert percentile_ms(lags, 0.99) == pytest.approx(200.1)
    assert percentile_ms(Counter(), 0.99) == 0.0


def test_of_several_stories_the_worst_time_counts_and_faults_are_added_up() -> None:
    figures = [("reconnect_s_max", 1.0), ("orphans", 0.0), ("reconnect_s_max", 3.2)]
    assert gathered([*figures, ("orphans", 1.0)]) == {"orphans": 1.0, "reconnect_s_max": 3.2}
