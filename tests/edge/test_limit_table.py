"""Buckets that workers share: no rate is exceeded, nothing is lost, nothing grows."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.limit_table import NS_PER_S, WAYS, LimitTable, table_words
from edge.meter import Meter, advance_of

S = NS_PER_S


def tables(workers: int = 1, rows: int = 64) -> list[LimitTable]:
    """One table as each of its workers sees it."""
    words = memoryview(bytearray(8 * table_words(workers, rows))).cast("q")
    return [
        LimitTable(words, workers=workers, worker_no=number, secret=b"s" * 16, rows=rows)
        for number in range(workers)
    ]


requests = st.lists(  # worker, and ns since the request before
    st.tuples(st.integers(0, 2), st.one_of(st.just(0), st.integers(0, 3 * S))), max_size=60
)


@given(requests, st.integers(1, 20), st.integers(1, 10))
def test_no_more_passes_than_rate_and_burst_allow(
    asked: list[tuple[int, int]], per_s: int, burst: int
) -> None:
    """In any stretch of time: burst + rate x time; and what may pass does."""
    buckets = [table.bucket(b"a") for table in tables(3)]
    each_ns, now_ns = S // per_s, 1000 * S
    passed: list[int] = []
    until_ns = 0  # the whole of GCRA, in one number
    for worker, past_ns in asked:
        now_ns += past_ns
        wait_ns = buckets[worker].spend(each_ns, burst * each_ns, now_ns)
        may = max(until_ns, now_ns) + each_ns <= now_ns + burst * each_ns
        assert (wait_ns == 0) is may
        if may:
            until_ns = max(until_ns, now_ns) + each_ns
            passed.append(now_ns)
        else:
            assert max(until_ns, now_ns) + each_ns == now_ns + wait_ns + burst * each_ns
    for first, began_ns in enumerate(passed):
        for last in range(first, len(passed)):
            number, took_ns = last - first + 1, passed[last] - began_ns
            assert number <= burst + took_ns / each_ns + 1e-6


@given(requests, st.integers(1, 50), st.integers(1, 400))
def test_meters_of_three_workers_keep_a_rate_but_for_their_advances(
    asked: list[tuple[int, int]], per_s: int, burst: int
) -> None:
    meters = [Meter(table.bucket(b"a"), per_s=per_s, burst=burst, workers=3) for table in tables(3)]
    extra = 3 * advance_of(burst, 3)
    assert extra <= max(3, burst / 8)
    now_ns, passed = 1000 * S, list[int]()
    for worker, past_ns in asked:
        now_ns += past_ns
        for _ in range(8):
            if not meters[worker].take(now_ns):
                passed.append(now_ns)
    for first, began_ns in enumerate(passed[:50]):
        number, took_s = len(passed) - first, (passed[-1] - began_ns) / S
        assert number <= burst + extra + took_s * per_s + 1e-6


def test_a_meter_says_when_to_come_again() -> None:
    (table,) = tables()
    meter = Meter(table.bucket(b"a"), per_s=2.0, burst=3, workers=1)
    now_ns = 50 * S
    assert [meter.take(now_ns) for _ in range(4)] == [0, 0, 0, S // 2]
    assert meter.take(now_ns + S // 4) == S // 4
    assert meter.take(now_ns + S // 2) == 0
    assert meter.take(now_ns + S // 2) == S // 2
    assert [meter.take(now_ns + 60 * S) for _ in range(4)] == [0, 0, 0, S // 2]


def test_near_its_end_an_advance_is_one() -> None:
    (table,) = tables()
    meter = Meter(table.bucket(b"a"), per_s=1.0, burst=80, workers=1)
    assert advance_of(80, 1) == 10
    passed = [meter.take(9 * S) for _ in range(81)]
    assert passed == [0] * 80 + [S]


@pytest.mark.parametrize(
    ("burst", "workers", "advance"), [(1, 1, 1), (16, 2, 1), (32, 2, 2), (10_000, 2, 64)]
)
def test_an_advance_is_an_eighth_of_a_burst_at_most(burst: int, workers: int, advance: int) -> None:
    assert advance_of(burst, workers) == advance


@given(st.lists(st.integers(1, 3 * S), min_size=1, max_size=30))
def test_what_is_charged_in_any_case_waits_its_turn(costs_ns: list[int]) -> None:
    """Bodies leave at the bandwidth, whoever sends them, in the order in which they ask."""
    one, other = (table.bucket(b"b") for table in tables(2))
    now_ns = 77 * S
    waits_ns = [
        (one, other)[number % 2].charge(cost_ns, S, now_ns)
        for number, cost_ns in enumerate(costs_ns)
    ]
    assert waits_ns == [max(0, sum(costs_ns[: number + 1]) - S) for number in range(len(costs_ns))]
    assert all(before <= after for before, after in pairwise(waits_ns))
    assert one.debt_ns(now_ns) == sum(costs_ns)
    assert other.debt_ns(now_ns + 100 * S) == 0


def test_places_are_counted_over_all_workers() -> None:
    one, other = tables(2)
    held = one.bucket(b"c"), other.bucket(b"c")
    first, second = held[0].enter(2, S), held[1].enter(2, S)
    assert first is not None
    assert second is not None
    assert held[0].enter(2, S) is None
    held[1].leave(second)
    assert held[0].enter(2, S) is not None


def test_a_worker_that_died_holds_nothing() -> None:
    one, other = tables(2)
    held = one.bucket(b"c"), other.bucket(b"c")
    assert held[0].enter(2, S) is not None
    assert held[1].enter(2, S) is not None
    assert not held[0].spend(S, S, S)
    one.attach()  # the next worker in its place
    assert one.held(held[1].enter(2, S) or 0) == 2
    assert held[1].enter(2, S) is None
    assert held[1].spend(S, S, S) == S  # what it spent is spent


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, S)), max_size=120))
@settings(max_examples=50)
def test_what_is_forgotten_gives_no_more_than_a_fresh_bucket(
    asked: list[tuple[int, int]],
) -> None:
    """Far more clients than rows: nothing grows, and nobody gets a burst more often than it was
    forgotten."""
    (table,) = tables(rows=WAYS)
    burst, now_ns = 3, 10 * S
    passed: dict[int, list[int]] = {}  # since it was last forgotten
    for client, past_ns in asked:
        now_ns += past_ns
        bucket = table.bucket(b"%d" % client)
        if bucket.is_forgotten():
            passed[client] = []
        if not bucket.spend(S, burst * S, now_ns):
            passed[client].append(now_ns)
        times = passed[client]
        assert len(times) <= burst + (now_ns - times[0]) / S
    assert len(table.words) == table_words(1, WAYS)


def test_who_has_used_most_is_not_forgotten() -> None:
    (table,) = tables(rows=WAYS)
    heavy = table.bucket(b"heavy")
    assert not heavy.spend(90 * S, 100 * S, S)
    holding = table.bucket(b"holding")
    assert holding.enter(1, S) is not None
    for number in range(200):  # a crowd of others, each asking once
        assert not table.bucket(b"%d" % number).spend(S // 10, S, S + number)
    assert heavy.spend(90 * S, 100 * S, 2 * S) > 0
    assert holding.enter(1, 2 * S) is None


def test_names_do_not_meet() -> None:
    (table,) = tables()
    assert not table.bucket(b"a").spend(S, S, S)
    assert not table.bucket(b"b").spend(S, S, S)
    assert table.bucket(b"a").spend(S, S, S) == S


def test_a_row_that_becomes_anothers_is_not_left_for_it() -> None:
    (table,) = tables(rows=WAYS)
    buckets = [table.bucket(b"%d" % number) for number in range(WAYS + 1)]
    rows = [bucket.enter(1, 1000 * S) for bucket in buckets]  # one more than there are rows
    assert None not in rows
    buckets_row = rows[-1]
    assert buckets_row is not None
    first = rows.index(buckets_row)
    buckets[first].leave(buckets_row)  # it was forgotten while it held something
    assert table.held(buckets_row) == 1
    assert buckets[-1].enter(1, 1000 * S) is None
    buckets[-1].leave(buckets_row)
    assert table.held(buckets_row) == 0


def test_who_holds_something_is_not_forgotten_for_who_has_spent_more() -> None:
    (table,) = tables(rows=WAYS)
    buckets = [table.bucket(b"%d" % number) for number in range(WAYS + 1)]
    for bucket in buckets[1:-1]:
        bucket.charge(3600 * S, S, 1000 * S)
    row = buckets[0].enter(1, 1000 * S)
    buckets[-1].spend(1, S, 1000 * S)
    assert row is not None
    assert not buckets[0].is_forgotten()
