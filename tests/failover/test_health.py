"""Every transition of an origin's health, and the laws that hold along any history."""

from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.health import TRANSITIONS, Effect, Health, HealthPolicy, Signal, State, step
from tests.support.table import table

POLICY = HealthPolicy(fall=3, rise=2)
signals = st.lists(st.sampled_from(Signal), max_size=60)
policies = st.builds(HealthPolicy, fall=st.integers(1, 6), rise=st.integers(1, 6))


def test_the_table_knows_every_pair() -> None:
    assert set(TRANSITIONS) == set(product(State, Signal))


@pytest.mark.parametrize(
    "case",
    table("""
        state    last  streak  signal  becomes  effect
        up       ok    0       ok      up       -
        up       ok    9       ok      up       -
        up       ok    9       fail    suspect  -
        up       fail  2       fail    down     eject
        suspect  fail  1       fail    suspect  -
        suspect  fail  2       fail    down     eject
        suspect  fail  2       ok      suspect  -
        suspect  ok    1       ok      up       -
        suspect  ok    1       fail    suspect  -
        down     fail  9       fail    down     -
        down     fail  9       ok      down     -
        down     ok    1       ok      up       restore
        down     ok    1       fail    down     -
    """),
    ids=str,
)
def test_step(case: dict[str, str]) -> None:
    before = Health(State(case["state"]), Signal(case["last"]), int(case["streak"]))
    after, effect = step(before, Signal(case["signal"]), POLICY)
    assert after.state is State(case["becomes"])
    assert effect is (Effect(case["effect"]) if case["effect"] else None)


@given(history=signals, policy=policies)
def test_effects_alternate_and_begin_with_an_ejection(
    history: list[Signal], policy: HealthPolicy
) -> None:
    health, effects = Health(), []
    for signal in history:
        before = health.state
        health, effect = step(health, signal, policy)
        if effect is not None:
            effects.append(effect)
        assert (effect is Effect.EJECT) == (before is not State.DOWN and health.state is State.DOWN)
        assert (effect is Effect.RESTORE) == (before is State.DOWN and health.state is State.UP)
    assert effects[:1] in ([], [Effect.EJECT])
    assert all(one is not other for one, other in pairwise(effects))


@given(history=signals, policy=policies)
def test_a_long_streak_decides_whatever_came_before(
    history: list[Signal], policy: HealthPolicy
) -> None:
    for signal, state in ((Signal.FAIL, State.DOWN), (Signal.OK, State.UP)):
        health = Health()
        for each in [*history, *[signal] * policy.needed(signal)]:
            health, _ = step(health, each, policy)
        assert health.state is state
