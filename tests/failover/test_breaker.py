"""Every transition of a breaker, and the laws that hold along any history."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.breaker import (
    TRANSITIONS,
    VERDICTS,
    Breaker,
    BreakerPolicy,
    Signal,
    State,
    Verdict,
    ask,
    step,
)
from tests.support.table import table

POLICY = BreakerPolicy(failures=5, within_s=1.0, probe_every_s=1.0)
NOW = 1_000.0
histories = st.lists(
    st.tuples(st.floats(0, 3, allow_nan=False), st.sampled_from([None, *Signal])), max_size=60
)
"""Seconds that pass, and then a signal, or somebody who asks."""


def test_the_tables_know_every_pair() -> None:
    assert set(TRANSITIONS) == set(product(State, Signal))
    assert set(VERDICTS) == set(State)


@pytest.mark.parametrize(
    "case",
    table("""
        state      failed_s_ago           signal      becomes    failures
        closed     -                      ok          closed     0
        closed     -                      fail        closed     1
        closed     0.3 0.2 0.1            fail        closed     4
        closed     0.9 0.3 0.2 0.1        fail        open       0
        closed     1.0 0.3 0.2 0.1        fail        closed     4
        closed     9.0 8.0 7.0 6.0        fail        closed     1
        closed     0.3 0.2 0.1            ok          closed     3
        closed     0.3 0.2 0.1 0.1        ok          closed     4
        closed     -                      probe-fail  closed     0
        closed     -                      probe-ok    closed     0
        open       -                      ok          open       0
        open       -                      fail        open       1
        open       -                      probe-ok    closed     0
        open       -                      probe-fail  open       0
        half-open  -                      ok          half-open  0
        half-open  -                      fail        half-open  1
        half-open  0.3 0.2 0.1 0.1        fail        half-open  5
        half-open  0.3 0.2 0.1 0.1 0.1    fail        half-open  5
        half-open  -                      probe-ok    closed     0
        half-open  -                      probe-fail  open       0
    """),
    ids=str,
)
def test_step(case: dict[str, str]) -> None:
    failed = tuple(NOW - float(each) for each in case["failed_s_ago"].split())
    before = Breaker(State(case["state"]), NOW - 0.5, failed)
    after = step(before, Signal(case["signal"]), NOW, POLICY)
    assert after.state is State(case["becomes"])
    assert len(after.failed_mono) == int(case["failures"])
    assert after.since_mono == (before.since_mono if after.state is before.state else NOW)


@pytest.mark.parametrize(
    "case",
    table("""
        state      since_s_ago  verdict  becomes
        closed     0            ask      closed
        closed     9            ask      closed
        open       0            refuse   open
        open       0.99         refuse   open
        open       1            probe    half-open
        half-open  0.99         refuse   half-open
        half-open  1            probe    half-open
    """),
    ids=str,
)
def test_ask(case: dict[str, str]) -> None:
    before = Breaker(State(case["state"]), NOW - float(case["since_s_ago"]))
    after, verdict = ask(before, NOW, POLICY)
    assert (after.state, verdict) == (State(case["becomes"]), Verdict(case["verdict"]))
    if verdict is Verdict.PROBE:
        assert ask(after, NOW, POLICY)[1] is Verdict.REFUSE  # one probe at a time


@given(history=histories)
def test_laws_of_any_history(history: list[tuple[float, Signal | None]]) -> None:
    breaker, now, failed, probed = Breaker(), NOW, [], -POLICY.probe_every_s
    for passed_s, signal in history:
        now += passed_s
        before = breaker
        if signal is None:
            breaker, verdict = ask(before, now, POLICY)
            assert (verdict is Verdict.ASK) == (before.state is State.CLOSED)
            if verdict is Verdict.PROBE:
                assert now - probed >= POLICY.probe_every_s
                probed = now
            continue
        breaker = step(before, signal, now, POLICY)
        failed += [now] if signal is Signal.FAIL else []
        assert len(breaker.failed_mono) <= POLICY.failures
        if before.state is State.CLOSED and breaker.state is State.OPEN:
            recent = [each for each in failed if now - each < POLICY.within_s]
            assert signal is Signal.FAIL
            assert len(recent) >= POLICY.failures
        if before.state is not State.CLOSED and breaker.state is State.CLOSED:
            assert signal is Signal.PROBE_OK
