"""A worker that dies young is waited for longer each time."""

import pytest

from edge.restarts import FIRST_S, STEADY_S, Deaths


@pytest.mark.parametrize(
    ("young", "backoff_s"),
    [(0, 0.0), (1, 0.0), (2, FIRST_S), (3, 2 * FIRST_S), (4, 4 * FIRST_S), (9, 10.0), (999, 10.0)],
)
def test_the_wait_doubles_up_to_its_limit(young: int, backoff_s: float) -> None:
    assert Deaths(young).backoff_s(10.0) == backoff_s


def test_a_long_life_is_a_new_start() -> None:
    assert Deaths(5).after(STEADY_S - 0.1) == Deaths(6)
    assert Deaths(5).after(STEADY_S) == Deaths(0)
