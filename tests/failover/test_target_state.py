"""Every transition of a target, its clocks, and the laws that hold along any history."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.model import Detection
from failover.quorum import Verdict
from failover.target_state import TRANSITIONS, UNSEEN, Clock, Standing, State, step, waits_s
from tests.support.table import table

DETECTION = Detection(
    fresh_s=5.0, dwell_s=30.0, hold_off_s=1_200.0, hold_off_max_s=4_000.0, forget_s=86_400.0
)
verdicts = st.lists(
    st.tuples(st.floats(0, 10, allow_nan=False), st.sampled_from(Verdict)), max_size=80
)
"""Seconds that pass, and then a verdict."""


def test_the_table_knows_every_pair() -> None:
    assert set(TRANSITIONS) == set(product(State, Verdict))


@pytest.mark.parametrize(("state", "verdict"), list(product(State, Verdict)), ids=str)
def test_every_pair_leads_where_the_table_says(state: State, verdict: Verdict) -> None:
    clock, meanwhile, then = TRANSITIONS[state, verdict]
    for good_s in (0.0, 10.0, 100_000.0):
        standing = Standing(state, Verdict.UP, good_s, 50.0, 1_200.0, "it fell")
        after = step(standing, verdict, 1.0, DETECTION, "it falls")
        passed = {Clock.RUNS: good_s + 1.0, Clock.STOPS: good_s, Clock.ANEW: 0.0}[clock]
        is_over = passed >= waits_s(standing, DETECTION)
        assert after.state is (then if is_over else meanwhile)
        assert after.verdict is verdict
        if after.state is state:
            assert after.good_s == passed
            assert after.since_s == 51.0


@pytest.mark.parametrize(
    "case",
    table("""
        state    good_s  off   verdict  passed_s  becomes  then_s  then_off  what
        up       -       0     up       1         up       0       0         steady
        up       86398   1200  up       1         up       86399   1200      not forgotten
        up       86399   1200  up       1         up       86400   0         forgotten
        up       50      1200  down     1         down     0       2400      again
        up       50      2400  down     1         down     0       4000      at most
        up       50      0     down     1         down     0       1200      first fall
        up       50      1200  unknown  1         suspect  0       1200      doubt
        suspect  28      0     up       1         suspect  29      0         dwells
        suspect  29      0     up       1         up       0       0         dwelt
        suspect  29      0     unknown  1         suspect  0       0         anew
        suspect  29      0     down     1         down     0       1200      first fall
        down     -       1200  down     1         down     0       1200      steady
        down     -       1200  unknown  1         down     0       1200      no evidence
        down     -       1200  up       1         held     0       1200      works
        held     1198    1200  up       1         held     1199    1200      held off
        held     1199    1200  up       1         up       0       1200      returns
        held     1199    1200  unknown  60        held     1199    1200      time stands still
        held     1190    1200  up       60        held     1195    1200      fresh_s counts
        held     29      1200  down     1         down     0       1200      the same fall
        held     30      1200  down     1         down     0       2400      another fall
        held     30      3000  down     1         down     0       4000      at most
    """),
    ids=str,
)
def test_clocks_and_hold_offs(case: dict[str, str]) -> None:
    before = Standing(
        State(case["state"]), Verdict.UP, float(case["good_s"] or 0), 0, float(case["off"])
    )
    after = step(before, Verdict(case["verdict"]), float(case["passed_s"]), DETECTION)
    assert after.state is State(case["becomes"])
    assert after.good_s == float(case["then_s"])
    assert after.hold_off_s == float(case["then_off"])


def test_the_time_before_the_first_good_look_does_not_count() -> None:
    held = Standing(State.HELD, Verdict.UNKNOWN, 100.0, 0.0, 1_200.0)
    assert step(held, Verdict.UP, 3.0, DETECTION).good_s == 100.0


@pytest.mark.parametrize(
    ("verdict", "becomes"),
    [(Verdict.UP, State.UP), (Verdict.DOWN, State.DOWN), (Verdict.UNKNOWN, State.SUSPECT)],
)
def test_what_nothing_is_known_of_begins_with_its_first_verdict(
    verdict: Verdict, becomes: State
) -> None:
    after = step(UNSEEN, verdict, 1.0, DETECTION, "why")
    assert after.state is becomes
    assert (after == replace(UNSEEN, unknown_s=1.0)) is (verdict is Verdict.UNKNOWN)
    assert after.why == ("why" if becomes is State.DOWN else "")


@given(verdicts)
def test_who_falls_is_used_again_after_its_hold_off_and_never_without_a_good_look(
    history: list[tuple[float, Verdict]],
) -> None:
    detection = replace(DETECTION, hold_off_s=40.0, hold_off_max_s=70.0)
    standing, since_fall_s, past = UNSEEN, 0.0, State.UP
    for passed_s, verdict in history:
        standing = step(standing, verdict, passed_s, detection)
        since_fall_s += passed_s
        if standing.state is State.DOWN:
            since_fall_s = 0.0 if past is not State.DOWN else since_fall_s
            assert standing.hold_off_s >= detection.hold_off_s
        if past in {State.DOWN, State.HELD} and standing.state is State.UP:
            assert verdict is Verdict.UP
            assert since_fall_s >= detection.hold_off_s - 1e-6
        assert standing.hold_off_s <= detection.hold_off_max_s
        assert standing.good_s >= 0
        past = standing.state


@given(verdicts, st.sampled_from(Verdict))
def test_the_same_verdict_at_the_same_time_changes_nothing_more(
    history: list[tuple[float, Verdict]], verdict: Verdict
) -> None:
    standing = UNSEEN
    for passed_s, each in history:
        standing = step(standing, each, passed_s, DETECTION)
    once = step(standing, verdict, 1.0, DETECTION)
    assert step(once, verdict, 0.0, DETECTION) == once
