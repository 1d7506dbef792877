"""Plans: within budgets, best first, and none while players need everything."""

from hypothesis import given
from hypothesis import strategies as st

from edge.prewarm_plan import (
    HOUR,
    RISING,
    WARM,
    Expected,
    Order,
    PlanBudget,
    chance,
    plan,
)

EXPECTED = st.lists(
    st.builds(
        Expected,
        st.sampled_from([f"k{number}" for number in range(12)]),
        st.floats(0.0, 50.0),
        st.sampled_from([HOUR, RISING, WARM]),
    )
)
BUDGETS = st.builds(PlanBudget, requests=st.integers(0, 8), bytes=st.floats(0.0, 4e6))


def test_a_plan():
    expected = [
        Expected("often", 5.0, HOUR),
        Expected("seldom", 0.5, HOUR),
        Expected("rises", 3.0, RISING),
        Expected("often", 9.0, RISING),
        Expected("held", 99.0, WARM),
    ]
    budget = PlanBudget(requests=10, bytes=1e9)
    assert plan(expected, ["held", "unknown"], budget, is_busy=False) == [
        Order("often", RISING, 9.0),
        Order("rises", RISING, 3.0),
    ]


@given(EXPECTED, st.sets(st.sampled_from(["k1", "k2"])), BUDGETS)
def test_never_beyond_a_budget_and_best_first(expected, held, budget):
    orders = plan(expected, held, budget, is_busy=False)
    assert len(orders) <= budget.requests
    assert len(orders) * budget.object_bytes <= budget.bytes
    assert len({each.key for each in orders}) == len(orders)
    assert not held & {each.key for each in orders}
    assert [each.requests for each in orders] == sorted(
        (each.requests for each in orders), reverse=True
    )
    assert all(chance(each.requests) >= budget.chance_min for each in orders)
    assert plan(expected, held, budget, is_busy=True) == []


@given(EXPECTED, BUDGETS, BUDGETS)
def test_a_larger_budget_only_adds(expected, one, other):
    larger = PlanBudget(
        requests=max(one.requests, other.requests), bytes=max(one.bytes, other.bytes)
    )
    few, many = (plan(expected, (), each, is_busy=False) for each in (one, larger))
    assert many[: len(few)] == few


@given(EXPECTED, BUDGETS, st.integers(0, 11), st.floats(0.0, 50.0))
def test_to_expect_more_of_something_never_drops_it(expected, budget, number, more):
    key = f"k{number}"
    before = [each.key for each in plan(expected, (), budget, is_busy=False)]
    known = max((each.requests for each in expected if each.key == key), default=0.0)
    after = plan([*expected, Expected(key, known + more, RISING)], (), budget, is_busy=False)
    if key in before:
        assert before.index(key) >= [each.key for each in after].index(key)
