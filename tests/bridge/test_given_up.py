"""What people cost in hashes is counted at the rate that the miner had, while it gives way."""

from hashcenter_bridge.given_up import GivenUp, Paused
from hashcenter_bridge.store import Totals

HASHES = Paused("miner", hashes=True, gives_way=False, hash_rate_hs=1000.0, power_w=200.0)
GIVES_WAY = Paused("miner", hashes=False, gives_way=True)
RESTS = Paused("miner", hashes=False, gives_way=False)


def counted(*looks: tuple[Paused, float]) -> tuple[int, int]:
    """Return hashes and joules after looking at a miner at these moments."""
    given_up = GivenUp(Totals())
    for miner, now in looks:
        given_up.look([miner], now)
    return given_up.totals.hashes_given_up, given_up.totals.joules_given_up


def test_a_pause_for_people_counts_from_when_it_was_seen() -> None:
    assert counted((HASHES, 0.0), (HASHES, 1.0), (GIVES_WAY, 2.0), (GIVES_WAY, 3.0)) == (2000, 400)


def test_a_miner_that_did_not_hash_gives_nothing_up() -> None:
    assert counted((GIVES_WAY, 0.0), (GIVES_WAY, 10.0)) == (0, 0)
    assert counted((HASHES, 0.0), (RESTS, 1.0), (GIVES_WAY, 2.0), (GIVES_WAY, 3.0)) == (0, 0)


def test_a_miner_that_was_told_but_still_hashes_gives_nothing_up() -> None:
    still = Paused("miner", hashes=True, gives_way=True, hash_rate_hs=1000.0, power_w=200.0)
    assert counted((HASHES, 0.0), (still, 1.0)) == (0, 0)


def test_a_night_in_which_nobody_looked_is_no_pause() -> None:
    assert counted((HASHES, 0.0), (GIVES_WAY, 30_000.0)) == (5000, 1000)


def test_a_rate_that_is_not_told_for_a_moment_is_the_last_one() -> None:
    silent = Paused("miner", hashes=True, gives_way=False)
    assert counted((HASHES, 0.0), (silent, 1.0), (GIVES_WAY, 2.0)) == (1000, 200)


def test_fractions_are_not_lost() -> None:
    slow = Paused("miner", hashes=True, gives_way=False, hash_rate_hs=0.5, power_w=0.25)
    looks = [(slow, 0.0), *((GIVES_WAY, float(second)) for second in range(1, 9))]
    assert counted(*looks) == (4, 2)
