"""Who carries how much, and how much of a way is gone at once."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from failover.sharing import TINY, allot, approach
from tests.support.failover import service
from tests.support.table import table

part = st.floats(0, 1, allow_nan=False)
NAMES = "abcd"


def shares(text: str) -> dict[str, float]:
    return {name: float(part) for name, _, part in (each.partition("=") for each in text.split())}


@pytest.mark.parametrize(
    "case",
    table(
        """
        targets           demand  limits  shares           overloaded  what
        a b               -       -       a=1              no          the first
        a/500 b           -       -       a=1              no          demand is not known
        a/500 b           1000    -       a=.5 b=.5        no          overflow
        a/500 b/200 c     1000    -       a=.5 b=.2 c=.3   no          on to the third
        a/100 b/300       1000    -       a=.25 b=.75      yes         in proportion
        a/0 b/0           1000    -       a=1              yes         nobody can carry anything
        a/0 b/500         1000    -       b=1              yes         one can
        a//7 b//3         -       -       a=.7 b=.3        no          weights
        a//7 b c          -       -       a=1              no          weights before order
        a/400/7 b//3      1000    -       a=.4 b=.6        no          a weight within its room
        a/400/7 b/100/3 c  1000  -     a=.4 b=.1 c=.5   no          then down the order
        a/400/1 b/300/1   1000    -       a=.571 b=.429    yes         too little, in proportion
        a/0/1 b           1000    -       b=1              no          a weight without room
        a b               -       a=.25   a=.25 b=.75      no          given no more than it has
        a//1 b//1         -       a=.25   a=.25 b=.75      no          so with weights
    """.replace(" c 1000", " c  1000")
    ),
    ids=str,
)
def test_shares(case: dict[str, str]) -> None:
    found, overloaded = allot(
        service(case["targets"]).targets, float(case["demand"] or 0), shares(case["limits"])
    )
    assert found == pytest.approx(shares(case["shares"]), abs=0.001)
    assert overloaded is (case["overloaded"] == "yes")


def test_who_is_pinned_comes_before_weights() -> None:
    found, _ = allot(service("a//1 b//9").targets, 0.0, {}, by_weight=False)
    assert found == {"a": 1.0}


@pytest.mark.parametrize(
    "case",
    table(
        """
        current        goal       lost  step  shares           what
        a=1            b=1        a     0     b=1              what fails is left at once
        a=1            b=1        -     .25   a=.75 b=.25      a step
        a=.75 b=.25    b=1        -     .25   a=.5 b=.5        another
        a=.25 b=.75    b=1        -     .25   b=1              the last
        a=1            b=1        -     0     a=1              not now
        a=1            a=1        -     0     a=1              there
        a=.25 b=.5 c=.25  a=1     c   0     a=.5 b=.5        only what must
        b=.6 c=.4      b=.6 d=.4  c     0     b=.6 d=.4        within what b can carry
        a=.5 b=.5      a=1        b     .25   a=1              all of it
    """.replace("c=.25  a=1     c", "c=.25  a=1  c")
    ),
    ids=str,
)
def test_steps(case: dict[str, str]) -> None:
    found = approach(
        shares(case["current"]), shares(case["goal"]), case["lost"].split(), float(case["step"])
    )
    assert found == pytest.approx(shares(case["shares"]))


whole = st.lists(part, min_size=4, max_size=4).filter(lambda each: sum(each) > 0.1)


@given(whole, whole, st.sets(st.sampled_from(NAMES)), part)
def test_a_step_lies_between_and_loses_nobody(
    current: list[float], goal: list[float], down: set[str], step: float
) -> None:
    at = {name: each / sum(current) for name, each in zip(NAMES, current, strict=True)}
    to = {name: each / sum(goal) for name, each in zip(NAMES, goal, strict=True)}
    found = approach(at, to, down, step)
    assert sum(found.values()) == pytest.approx(1.0, abs=1e-4)
    for name in NAMES:
        low, high = sorted((at[name], to[name]))
        assert low - 1e-4 <= found.get(name, 0.0) <= high + 1e-4
        if name in down and to[name] < at[name]:
            assert found.get(name, 0.0) == pytest.approx(to[name], abs=1e-4)
    given_up = sum(max(0.0, at[each] - found.get(each, 0.0)) for each in set(NAMES) - down)
    assert given_up <= step + 4 * TINY


@example([(1.0, 1.0), (2.0, 2.3e-309)], 2.0)  # a weight so small that its inverse is infinite
@given(
    st.lists(st.tuples(st.floats(0, 2_000), st.floats(0, 10)), min_size=1, max_size=5),
    st.floats(0, 3_000),
)
def test_nobody_is_given_more_than_it_can_carry_while_others_have_room(
    sizes: list[tuple[float, float]], demand: float
) -> None:
    text = " ".join(f"t{at}/{size}/{weight}" for at, (size, weight) in enumerate(sizes))
    found, overloaded = allot(service(text).targets, demand, {})
    assert sum(found.values()) == pytest.approx(1.0, abs=1e-4)
    total = sum(size for size, _ in sizes)
    if not overloaded and demand:
        for at, (size, _) in enumerate(sizes):
            assert found.get(f"t{at}", 0.0) * demand <= size * (1 + 1e-4) + 1e-2
    assert not overloaded or total <= demand * (1 + 1e-4)
