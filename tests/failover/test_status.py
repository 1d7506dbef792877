"""What a member says of how targets stand: why they do now, and not why they once fell."""

import pytest

from failover.quorum import Verdict
from failover.status import _why
from failover.target_state import Standing, State

UP, SUSPECT, DOWN, HELD = State.UP, State.SUSPECT, State.DOWN, State.HELD


@pytest.mark.parametrize(
    ("state", "verdict", "why"),
    [
        (UP, Verdict.UP, ""),
        (DOWN, Verdict.DOWN, "503"),
        (DOWN, Verdict.UNKNOWN, "503"),
        (HELD, Verdict.UP, "it fell: 503"),
        (SUSPECT, None, "no verdict yet"),
        (SUSPECT, Verdict.UNKNOWN, "too few vantages agree"),
        (SUSPECT, Verdict.UP, "it works, and is in doubt until that has lasted"),
    ],
)
def test_why_a_target_stands_as_it_does(state, verdict, why):
    assert _why(Standing(state, verdict, why="503")) == why


def test_what_was_left_by_somebody_else():
    assert _why(Standing(HELD, Verdict.UP)) == "it had been left before"
