"""Providers whose errors come and go: one way there and one way back."""

import pytest

from tests.support.failover_weather import (
    HOUR_S,
    live_through,
    night,
    oscillation,
    seeded_complaints,
)

SEEDS = 9  # `python -m tests.failover_schedules` runs a hundred


def test_the_night_of_18_november_2025_is_one_failover_and_one_failback() -> None:
    moves = live_through(night, 7.5 * HOUR_S)
    assert len(moves.falls) == 1
    assert moves.falls[0] < 5.0
    assert len(moves.returns) == 1
    # held off for four hours since the last bad phase: each of them had cost more than the last
    assert 7.0 * HOUR_S < moves.returns[0] < moves.back_at < 7.2 * HOUR_S


@pytest.mark.parametrize("seed", range(SEEDS))
def test_an_oscillation_moves_at_most_once_in_a_hold_off(seed: int) -> None:
    assert seeded_complaints(seed, hold_off_s=240.0) == []


@pytest.mark.parametrize("bad", [0.1, 0.5, 0.9])
def test_the_longest_period_that_a_hold_off_covers(bad: float) -> None:
    moves = live_through(oscillation(1_200.0, bad, 3_600.0), 3_600.0)
    assert (len(moves.falls), moves.returns) == (1, [])


def test_what_stays_up_long_enough_is_used_again_and_its_next_fall_costs_more() -> None:
    def two_falls(now: float, _: object) -> bool:
        return now < 60.0 or 2_000.0 <= now < 2_060.0

    moves = live_through(two_falls, 5_000.0)
    assert len(moves.falls) == len(moves.returns) == 2
    first, second = (back - fall for fall, back in zip(moves.falls, moves.returns, strict=True))
    assert 1_200.0 < first < 1_300.0
    assert 2_400.0 < second < 2_500.0
