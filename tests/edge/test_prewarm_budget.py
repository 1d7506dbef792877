"""Budgets that are never exceeded, and players who come first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.prewarm_budget import (
    BURST_S,
    BYTES,
    FILLS,
    LOOP,
    MEMORY,
    REQUESTS,
    SHED,
    UPLINK,
    Allowance,
    Budget,
    Pressure,
    PrewarmPolicy,
    yields,
)

POLICY = PrewarmPolicy(uplink_bps=1000.0, uplink_share=0.5, requests_per_s=4.0)
CALM = Pressure()


@pytest.mark.parametrize(
    ("pressure", "why"),
    [
        (CALM, ""),
        (Pressure(late_s=0.021), LOOP),
        (Pressure(waiting=9), FILLS),
        (Pressure(players_bps=801.0), UPLINK),
        (Pressure(is_shed=True), SHED),
        (Pressure(late_s=0.02, waiting=8, players_bps=800.0), ""),
    ],
)
def test_players_come_first(pressure, why):
    assert yields(pressure, POLICY) == why
    assert Budget(POLICY, 1000, 0.0).refuses(pressure, 0, 0.0) == why


def test_each_budget_refuses():
    budget = Budget(POLICY, 1000, 0.0)
    assert budget.refuses(CALM, 249, 0.0) == ""
    assert budget.refuses(CALM, 250, 0.0) == MEMORY
    for _ in range(4):
        assert budget.refuses(CALM, 0, 0.0) == ""
        budget.ask(0.0)
    assert budget.refuses(CALM, 0, 0.0) == REQUESTS
    assert budget.refuses(CALM, 0, 0.25) == ""
    budget.receive(600, 0.25)
    assert budget.refuses(CALM, 0, 0.3) == BYTES
    assert budget.refuses(CALM, 0, 0.5) == ""


def test_a_workers_share():
    share = POLICY.share(4)
    assert (share.uplink_bps, share.requests_per_s) == (250.0, 1.0)
    assert share.uplink_share == POLICY.uplink_share


@given(
    st.floats(0.1, 1e6),
    st.lists(st.tuples(st.floats(0.0, 10.0), st.floats(0.0, 1.0)), max_size=50),
)
def test_no_more_is_taken_than_time_gave(per_s, steps):
    allowance, now_s, taken = Allowance(per_s, 0.0), 0.0, 0.0
    for wait_s, share in steps:
        now_s += wait_s
        left = allowance.left(now_s)
        assert left <= per_s * BURST_S * (1 + 1e-9)
        allowance.take(max(0.0, left) * share, now_s)
        taken += max(0.0, left) * share
        assert taken <= per_s * (now_s + BURST_S) * (1 + 1e-9)


@given(
    st.builds(Pressure, st.floats(0, 1), st.integers(0, 50), st.floats(0, 2000), st.booleans()),
    st.builds(Pressure, st.floats(0, 1), st.integers(0, 50), st.floats(0, 2000), st.booleans()),
)
def test_more_pressure_never_lets_it_go_on(one, other):
    worse = Pressure(*map(max, zip(one, other, strict=True)))
    if yields(one, POLICY):
        assert yields(worse, POLICY)
