"""When a vantage asks again, and when what it has seen is urgent."""

from collections.abc import Callable

import pytest

from failover.answer import Answer
from failover.evidence import Outcome, Round
from failover.journal import Journal
from failover.model import Detection
from failover.rhythm import ON_THE_WAY_MAX, Rhythm
from failover.votes import Vote
from tests.support.table import table

TICK_S = 0.05
WARM_S = 10.0

Look = Callable[[int], tuple[bool, float]]
"""Whether a round of that number fails, and how long it takes."""


def lived(look: Look, for_s: float = 30.0, **detection: float) -> tuple[Rhythm, list[float], float]:
    """Return a rhythm after that time, when its rounds began, and when its vote turned down."""
    rhythm = Rhythm(Detection(**detection), 0.0)
    began: list[float] = []
    ends: list[tuple[float, Round]] = []
    down = float("inf")
    for tick in range(int(for_s / TICK_S)):
        now = tick * TICK_S
        for each in sorted(ends):
            if each[0] <= now:
                ends.remove(each)
                rhythm.on_the_way -= 1
                _, is_urgent = rhythm.end(each[1], now)
                down = min(down, now) if is_urgent else down
        while now >= rhythm.due_mono - 1e-6 or (
            now >= rhythm.look_mono - 1e-6 and rhythm.is_in_doubt
        ):
            begun = rhythm.begin(now, is_due=now >= rhythm.due_mono - 1e-6)
            if begun is not None:
                fails, took_s = look(begun)
                outcome = Outcome.FAIL if fails else Outcome.OK
                began.append(now)
                ends.append((now + took_s, Round("s", "t", 0, outcome, "", 1_000.0 * took_s)))
    return rhythm, began, down


@pytest.mark.parametrize(
    "case",
    table("""
        took_s  down  what
        0.05    0.55  a second round follows the first failure
        0.2     0.7   as soon as half an interval after it began
        1.0     1.5   one that does not end is followed by another
    """),
    ids=str,
)
def test_failures_in_a_row_come_soon(case: dict[str, str]) -> None:
    took_s = float(case["took_s"])
    rhythm, began, down = lived(lambda number: (number >= 11, took_s if number >= 11 else 0.05))
    assert rhythm.ballot.vote is Vote.DOWN
    assert down - WARM_S == pytest.approx(float(case["down"]), abs=TICK_S)
    assert len(began) == 31  # after that no more than one an interval


@pytest.mark.parametrize("took_s", [0.05, 0.5, 0.9, 1.0])
def test_one_lost_packet_turns_no_vote(took_s: float) -> None:
    lost = range(11, 300, 20)
    rhythm, _, down = lived(lambda number: (number in lost, took_s if number in lost else 0.05), 60)
    assert down == float("inf")
    assert rhythm.ballot.vote is Vote.UP


def test_a_target_that_is_slow_but_good_is_not_asked_more_often() -> None:
    _, began, _ = lived(lambda _: (False, 0.8))
    assert len(began) == 30


def test_each_failure_counts_where_more_are_wanted() -> None:
    _, began, down = lived(
        lambda number: (number >= 11, 0.05), fall=4, window_failed=4, interval_failing_s=0.2
    )
    assert down - WARM_S == pytest.approx(0.65, abs=2 * TICK_S)
    assert len(began) == 33


def test_rounds_that_never_end_are_left_out() -> None:
    rhythm, began, _ = lived(lambda _: (False, 1_000.0))
    assert len(began) == ON_THE_WAY_MAX
    assert rhythm.left_out == 30 - ON_THE_WAY_MAX


def test_a_journal_says_what_is_urgent() -> None:
    journal, told = Journal("v", "boot"), []
    journal.controls(Answer())
    journal.follow(lambda: told.append("now"))
    seen = Round("s", "t", 1, Outcome.FAIL)
    journal.add([seen])
    assert not told
    number = journal.report(0, "boot").number
    assert not journal.is_urgent(number, "boot")
    journal.add([seen], is_urgent=True)
    assert told == ["now"]
    assert journal.is_urgent(number, "boot")
    assert journal.report(number, "boot").is_urgent
    assert not journal.report(number + 1, "boot").is_urgent
    assert not journal.is_urgent(number + 1, "boot")
    assert journal.is_urgent(number + 1, "another start")
