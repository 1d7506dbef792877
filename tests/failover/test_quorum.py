"""Who votes on what, how many must agree, and what players add."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.quorum import Electorate, Tally, Verdict, electorate, tally
from failover.votes import Vote
from tests.support.failover import vantages
from tests.support.table import table


@pytest.mark.parametrize(
    "case",
    table("""
        regions        scope  least  voters          needed  what
        n n n          n      2      v0 v1 v2        2       a majority
        n n n n        n      2      v0 v1 v2 v3     3       more than half
        n n n s        s      2      v0 v1 v2 v3     3       a region of one asks all
        n n n s        *      2      v0 v1 v2 v3     3       all
        n n n s s      s      2      v3 v4           2       a region of two
        n n n s s      s      3      v0 v1 v2 v3 v4  3       too few for three
        n              n      2      v0              2       never: one is not enough
        n              n      1      v0              1       alone
        n n n n        n      4      v0 v1 v2 v3     4       as many as are wanted
    """),
    ids=str,
)
def test_electorates(case: dict[str, str]) -> None:
    who = electorate(vantages(case["regions"]), case["scope"], int(case["least"]))
    assert who == Electorate(tuple(case["voters"].split()), int(case["needed"]))


@pytest.mark.parametrize(
    "case",
    table("""
        votes  players  needed  verdict  what
        uuu    no       2       up       all say so
        uud    no       2       up       one lies
        udd    no       2       down     a majority
        u--    no       2       unknown  silence counts
        d--    no       2       unknown  silence counts
        d--    yes      2       down     players are one vote more
        ---    yes      2       unknown  and none on their own
        ---    yes      1       unknown  never alone
        uud    yes      2       unknown  they outvote nobody
        uuu    yes      2       up       nor all
        d      no       1       down     a member alone
    """),
    ids=str,
)
def test_verdicts(case: dict[str, str]) -> None:
    votes = [{"u": Vote.UP, "d": Vote.DOWN, "-": None}[each] for each in case["votes"]]
    count = tally(votes, players_left=case["players"] == "yes")
    assert count.verdict(int(case["needed"])) is Verdict(case["verdict"])


def test_a_tally_in_words() -> None:
    assert str(Tally(1, 2, 0)) == "2 of 3 vantages say down, 1 up"
    said = str(Tally(0, 1, 1, players_left=True))
    assert said == "1 of 2 vantages and its players say down, 0 up"


@given(st.lists(st.sampled_from([Vote.UP, Vote.DOWN, None]), max_size=9), st.booleans())
def test_less_than_half_of_those_configured_move_nothing(
    votes: list[Vote | None], players: bool
) -> None:
    verdict = tally(votes, players_left=players).verdict(len(votes) // 2 + 1)
    if verdict is Verdict.DOWN:
        assert 2 * (votes.count(Vote.DOWN) + players) > len(votes)
        assert Vote.DOWN in votes
    if verdict is Verdict.UP:
        assert 2 * votes.count(Vote.UP) > len(votes)
