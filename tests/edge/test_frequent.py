"""Frequent names: bounds that always hold, and how close they are on skewed traces."""

import random
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.frequent import DOUBLINGS_MAX, Frequent

HALF_LIFE_S = 60.0
ROUNDING = 1e-6

EVENTS = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.integers(1, 9), st.integers(0, 90)), max_size=60
)


class Exact:
    """The same counts without a bound."""

    def __init__(self, half_life_s=HALF_LIFE_S):
        self.half_life_s = half_life_s
        self.seen = defaultdict(list)

    def add(self, name, weight, now_s):
        self.seen[name].append((weight, now_s))

    def count(self, name, now_s):
        return sum(w * 0.5 ** ((now_s - at) / self.half_life_s) for w, at in self.seen[name])

    def total(self, now_s):
        return sum(self.count(name, now_s) for name in [*self.seen])


def counted(events, *, capacity, began_s=0.0):
    """Both after events (name, weight, seconds since the one before), and when that is."""
    frequent, exact, now_s = Frequent(capacity, HALF_LIFE_S, began_s), Exact(), began_s
    for name, weight, pause_s in events:
        now_s += pause_s
        frequent.add(name, weight, now_s)
        exact.add(name, weight, now_s)
    return frequent, exact, now_s


def check_bounds(frequent, exact, now_s, capacity):
    total = exact.total(now_s)
    slack = ROUNDING * (1.0 + total)
    assert len(frequent) <= capacity
    assert frequent.total(now_s) == pytest.approx(total)
    for name in "abcdefgh":
        true, count = exact.count(name, now_s), frequent.count(name, now_s)
        assert count.surely - slack <= true <= count.value + slack
        assert count.error <= total / capacity + slack


@given(EVENTS, st.integers(1, 9))
def test_counts_are_within_their_bounds(events, capacity):
    frequent, exact, now_s = counted(events, capacity=capacity)
    check_bounds(frequent, exact, now_s, capacity)
    check_bounds(frequent, exact, now_s + 7.0, capacity)


@given(EVENTS, EVENTS, st.integers(1, 9))
def test_merged_counts_are_within_their_bounds(events, others, capacity):
    one, exact, now_s = counted(events, capacity=capacity)
    other, exact_other, then_s = counted(others, capacity=capacity)
    at_s = max(now_s, then_s)
    whole = Frequent(capacity, HALF_LIFE_S)
    whole.merge(one, at_s)
    whole.merge(other, at_s)
    for name, seen in exact_other.seen.items():
        exact.seen[name] += seen
    check_bounds(whole, exact, at_s, capacity)


@given(EVENTS, EVENTS, st.integers(1, 9), st.integers(0, 9))
def test_what_goes_through_json_is_within_its_bounds(events, more, capacity, limit):
    frequent, exact, now_s = counted(events, capacity=capacity)
    said = frequent.to_mapping(limit, now_s)
    assert len(said["leading"]) <= limit
    again = Frequent.from_mapping(said, capacity=capacity, half_life_s=HALF_LIFE_S, now_s=now_s)
    for name, weight, pause_s in more:
        now_s += pause_s
        again.add(name, weight, now_s)
        exact.add(name, weight, now_s)
    assert again.total(now_s) == pytest.approx(exact.total(now_s))
    for name in "abcdefgh":
        true, count = exact.count(name, now_s), again.count(name, now_s)
        slack = ROUNDING * (1.0 + exact.total(now_s))
        assert count.surely - slack <= true <= count.value + slack


def test_years_change_nothing_but_the_scale():
    frequent, now_s = Frequent(2, HALF_LIFE_S), 0.0
    for name in "aabac":
        frequent.add(name, 1.0, now_s)
        now_s += HALF_LIFE_S * (DOUBLINGS_MAX + 1.0)
    frequent.add("d", 4.0, now_s)
    assert frequent.count("d", now_s).value == pytest.approx(4.0)
    assert frequent.count("d", now_s + HALF_LIFE_S).value == pytest.approx(2.0)
    assert frequent.count("a", now_s).value == pytest.approx(0.0)


def test_leading_names_come_in_order():
    frequent = Frequent(8, HALF_LIFE_S)
    for name in "bcabcacc":
        frequent.add(name, 1.0, 0.0)
    assert [name for name, _ in frequent.leading(2, 0.0)] == ["c", "a"]
    assert [name for name, _ in frequent.leading(9, 0.0)] == ["c", "a", "b"]
    frequent.add("d", 2.0, 0.0)  # as many as of two others
    assert [name for name, _ in frequent.leading(2, 0.0)] == ["c", "a"]
    assert [name for name, _ in frequent.leading(3, 0.0)] == ["c", "a", "b"]


def test_variance_grows_with_the_square_of_a_sample_s_weight():
    frequent = Frequent(8, HALF_LIFE_S)
    frequent.add("a", 3.0, 0.0)
    frequent.add("a", 1.0, 0.0)
    frequent.add("b", 4.0, 0.0, squares=6.0)
    assert frequent.count("a", 0.0).squares == 10.0
    assert frequent.count("b", 0.0).squares == 6.0


@pytest.mark.parametrize("exponent", [0.8, 1.0, 1.2])
def test_zipf_traces(exponent):
    """The leading 20 of 20 000 names are found with room for 512."""
    chance = random.Random(4)
    names = [f"n{rank}" for rank in range(20_000)]
    weights = [1.0 / (rank + 1) ** exponent for rank in range(len(names))]
    trace = chance.choices(names, weights, k=60_000)
    frequent, exact = Frequent(512, 600.0), Exact(600.0)
    for second, name in enumerate(trace):
        frequent.add(name, 1.0, second * 0.02)
        exact.add(name, 1.0, second * 0.02)
    now_s = len(trace) * 0.02
    bound = exact.total(now_s) / 512
    best = sorted(exact.seen, key=lambda name: -exact.count(name, now_s))[:20]
    found = [name for name, _ in frequent.leading(20, now_s)]
    assert len(set(found) & set(best)) >= 19
    for name, count in frequent.leading(512, now_s):
        true = exact.count(name, now_s)
        assert count.surely - ROUNDING <= true <= count.value + ROUNDING
        assert count.error <= bound
