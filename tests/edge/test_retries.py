"""Retries never exceed their share, whatever the order of requests and failures."""

from hypothesis import given
from hypothesis import strategies as st

from edge.retries import RetryBudget


@given(
    ratio=st.floats(0.0, 1.0),
    burst=st.floats(0.0, 20.0),
    fails=st.lists(st.booleans(), max_size=99),
)
def test_retries_are_a_share_of_the_requests(ratio: float, burst: float, fails: list[bool]) -> None:
    budget, spent = RetryBudget(ratio, burst), 0
    for number, failed in enumerate(fails, 1):
        budget.earn()
        spent += failed and budget.spend()
        assert spent <= burst + ratio * number + 1e-9


def test_a_burst_is_spent_and_earned_back() -> None:
    budget = RetryBudget(ratio=0.5, burst=2.0)
    assert [budget.spend() for _ in range(3)] == [True, True, False]
    budget.earn()
    assert not budget.spend()
    budget.earn()
    assert budget.spend()
