"""What a vantage votes after which rounds, when its vote counts, and when it is withdrawn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.evidence import Outcome, PlayerEvidence, Report, Round
from failover.model import Detection
from failover.votes import (
    NOBODY,
    Attendance,
    Ballot,
    Players,
    Vote,
    attend,
    cast,
    counted,
    have_left,
)
from tests.support.table import table

DETECTION = Detection(fall=2, window=10, window_failed=4, rise=5, fresh_s=5.0)
NAME = "media", "a"
NOW = 1_000.0
NO_ROUNDS = Ballot()


def seen(number: int, *, ok: bool) -> Round:
    outcome = Outcome.OK if ok else Outcome.FAIL
    return Round(service="media", target="a", number=number, outcome=outcome, why="" if ok else "x")


def after(rounds: str, ballot: Ballot = NO_ROUNDS, first: int = 1) -> Ballot:
    """Fold rounds written as `.` for good and `x` for failed; a space is one that was missed."""
    for number, each in enumerate(rounds, first):
        if each != " ":
            ballot = counted(ballot, seen(number, ok=each == "."), DETECTION, NOW)
    return ballot


@pytest.mark.parametrize(
    "case",
    table("""
        rounds              vote  counts  what
        ....                -     -       too few to vote up
        .....               up    up      rise
        x                   -     -       one failure
        xx                  down  down    fall
        .....x              up    -       abstains: it may be falling
        .....x.             up    up      it was one
        .....xx             down  down    fall
        .....x.x.x.         up    up      three of ten
        .....x.x.x.x        down  down    four of ten
        x.x.x.x             down  down    four of fewer
        xx....              down  down    not up yet
        xx.....             up    up      rise
        xxxx.....           down  down    five good, but four of ten
        xxxx......          down  down    six good, but four of ten
        xxxx.......         up    up      three of ten
        .....x..x..x..x     down  down    one in three is four of ten
        .....x...x...x...x  up    -       one in four is not
        .....x x            up    -       not in a row: one is missing
        xx .                down  down    the vote stays
        xx ....             down  down    too few since
        xx .....            up    up      rise
    """),
    ids=str,
)
def test_votes(case: dict[str, str]) -> None:
    ballot = after(case["rounds"])
    assert ballot.vote == (Vote(case["vote"]) if case["vote"] else None)
    assert cast(ballot, DETECTION, NOW) == (Vote(case["counts"]) if case["counts"] else None)


@pytest.mark.parametrize(("age_s", "counts"), [(0.0, True), (4.99, True), (5.0, False)])
def test_a_vote_is_withdrawn_when_it_is_old(age_s: float, counts: bool) -> None:
    assert (cast(after("....."), DETECTION, NOW + age_s) is Vote.UP) is counts


@given(st.text(alphabet=".x ", max_size=60), st.integers(0, 60))
def test_rounds_that_come_twice_change_nothing(rounds: str, again: int) -> None:
    ballot = after(rounds)
    assert after(rounds[:again], ballot) == ballot


@given(st.text(alphabet=".x", max_size=60))
def test_no_vote_says_what_the_last_rounds_deny(rounds: str) -> None:
    ballot = after(rounds)
    counts = cast(ballot, DETECTION, NOW)
    if counts is Vote.UP:
        assert rounds.endswith(".")
        assert rounds[-10:].count("x") < 4
    if rounds.endswith("xx"):
        assert counts is Vote.DOWN
    if rounds.endswith(".......") or not rounds:
        assert counts is not Vote.DOWN


def report(number: int, rounds: str = "", *, boot: str = "1", ok: bool = True) -> Report:
    first = (number - 1) * 10 + 1
    return Report(
        vantage="v0",
        boot=boot,
        number=number,
        controls_ok=ok,
        controls_why="" if ok else "dns",
        rounds=tuple(seen(at, ok=each == ".") for at, each in enumerate(rounds, first)),
    )


def heard(*reports: Report) -> Attendance:
    known = NOBODY
    for each in reports:
        known = attend(known, each, {NAME: DETECTION}, NOW)
    return known


def vote(known: Attendance) -> Vote | None:
    return cast(known.ballots.get(NAME, Ballot()), DETECTION, NOW)


def test_reports_are_counted_once_and_in_order() -> None:
    up = heard(report(1, "......"))
    assert vote(up) is Vote.UP
    assert attend(up, report(1, "xxxxx"), {NAME: DETECTION}, NOW) is up
    assert attend(heard(report(2, ".")), report(1, "xx"), {NAME: DETECTION}, NOW).number == 2


def test_controls_that_fail_withdraw_all_and_what_was_seen_meanwhile() -> None:
    failed = heard(report(1, "....."), report(2, "xxx", ok=False))
    assert not failed.controls_ok
    assert failed.controls_why == "dns"
    assert vote(failed) is None
    assert vote(attend(failed, report(3, "."), {NAME: DETECTION}, NOW)) is None
    at_once = heard(report(1, "....."), report(1, ok=False))
    assert not at_once.controls_ok


def test_a_new_boot_has_no_votes_until_it_has_made_some() -> None:
    known = heard(report(9, "....."), report(1, "....", boot="2"))
    assert known.number == 1
    assert vote(known) is None
    assert vote(attend(known, report(2, ".....", boot="2"), {NAME: DETECTION}, NOW)) is Vote.UP


def test_what_is_not_looked_after_is_passed_over() -> None:
    players = (PlayerEvidence(service="media", target="a", fetched=9, left=9),)
    told = Report(
        vantage="v0",
        boot="1",
        number=1,
        controls_ok=True,
        rounds=(seen(1, ok=True),),
        players=players,
    )
    known = attend(NOBODY, told, {}, NOW)
    assert not known.ballots
    assert not known.players


def test_players_add_up_and_fade_away() -> None:
    def told(number: int, boot: str = "1") -> Report:
        players = PlayerEvidence(service="media", target="a", fetched=20, left=12)
        return Report(vantage="v0", boot=boot, number=number, controls_ok=True, players=(players,))

    known = attend(NOBODY, told(1), {NAME: DETECTION}, NOW)
    known = attend(known, told(2), {NAME: DETECTION}, NOW + DETECTION.fresh_s)
    assert known.players[NAME] == Players(30.0, 18.0, NOW + DETECTION.fresh_s)
    anew = attend(known, told(1, boot="2"), {NAME: DETECTION}, NOW)
    assert anew.players[NAME].fetched == 20.0


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        ([], False),
        ([(19.0, 19.0)], False),
        ([(20.0, 10.0)], True),
        ([(20.0, 9.0)], False),
        ([(10.0, 2.0), (10.0, 9.0)], True),
    ],
)
def test_players_that_leave_are_a_vote(asked: list[tuple[float, float]], left: bool) -> None:
    assert have_left(Players(*each, NOW) for each in asked) is left
