"""What samples tell of how far people watch."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.retention import POSITIONS, TOTAL_MAX, USUALLY, Retention

REQUESTS = st.lists(st.tuples(st.integers(0, POSITIONS + 3), st.floats(0.1, 1e4), st.booleans()))


def test_what_is_usual_until_something_is_known():
    retention = Retention()
    assert retention.goes_on(0) == USUALLY
    assert retention.goes_on(500) == USUALLY
    assert retention.goes_on(0, otherwise=0.3, prior=1.0) == pytest.approx(0.3)
    assert retention.curve() == []


def test_a_curve_is_learnt():
    chance, retention = random.Random(1), Retention()
    for _ in range(20_000):
        length = chance.choice((3, 6))  # short ones do not look like ones that people leave
        for position in range(length):
            retention.add(position, 1.0, is_last=position + 1 == length)
            if chance.random() > 0.7:
                break
    for position in range(4):
        assert retention.goes_on(position) == pytest.approx(0.7, abs=0.03)
    assert retention.curve()[:3] == pytest.approx([1.0, 0.7, 0.49], abs=0.05)
    assert len(retention.curve()) == 6


@given(REQUESTS)
def test_shares_are_shares_and_counts_are_bounded(requests):
    retention = Retention()
    for position, weight, is_last in requests:
        retention.add(position, weight, is_last=is_last)
    assert all(0.0 <= retention.goes_on(position) <= 1.0 for position in range(POSITIONS + 2))
    curve = retention.curve()
    assert curve == sorted(curve, reverse=True)
    assert max(retention.to_list()[0][:POSITIONS]) <= TOTAL_MAX


@given(REQUESTS, REQUESTS)
def test_two_workers_know_what_one_would(one, other):
    both, first, second = Retention(), Retention(), Retention()
    for half, requests in ((first, one), (second, other)):
        for position, weight, is_last in requests[:1]:
            half.add(position, weight, is_last=is_last)
            both.add(position, weight, is_last=is_last)
    first.add_counted(json.loads(json.dumps(second.take())))
    assert second.curve() == []
    for ours, theirs in zip(first.to_list(), both.to_list(), strict=True):
        assert ours == pytest.approx(theirs)


def test_many_requests_make_room_for_new_ones():
    retention = Retention()
    retention.add_counted([[TOTAL_MAX * 3] * (POSITIONS + 1), [TOTAL_MAX * 3] * POSITIONS])
    assert max(map(max, retention.to_list())) <= TOTAL_MAX
    assert retention.goes_on(3) == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("said", [[], [[1.0]], [[1.0] * 65, ["x"] * 64], 3])
def test_what_is_no_count(said):
    with pytest.raises((ValueError, TypeError)):
        Retention.from_list(said)
