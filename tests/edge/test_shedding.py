"""Shedding: what is worth least goes first, and nothing swings."""

import random
from statistics import mean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.shedding import OPEN, Load, Priority, Shedder, SheddingPolicy, priority_of

CALM = Load(late_s=0.0, busy=0.0, fills=0.0)


@pytest.mark.parametrize(
    ("said", "method", "priority"),
    [
        ("", b"GET", Priority.PLAYBACK),
        ("", b"HEAD", Priority.PLAYBACK),
        ("", b"POST", Priority.UPLOADS),
        ("feed", b"GET", Priority.FEED),
        ("prewarming", b"POST", Priority.PREWARMING),
    ],
)
def test_what_a_request_is_worth(said: str, method: bytes, priority: Priority) -> None:
    assert priority_of(said, method) is priority


@pytest.mark.parametrize(
    ("load", "sheds"),
    [
        (CALM, False),
        (Load(late_s=0.001, busy=1.0, fills=0.0), False),  # a busy core is no harm by itself
        (Load(late_s=0.06, busy=1.0, fills=0.0), True),
        (Load(late_s=0.3, busy=0.5, fills=0.0), True),
        (Load(late_s=0.0, busy=0.0, fills=0.95), True),
        (Load(late_s=0.05, busy=0.9, fills=0.8), False),
    ],
)
def test_what_is_too_much(load: Load, sheds: bool) -> None:
    shedder = Shedder()
    for tick in range(100):
        shedder.see(load, tick * 0.1)
    assert shedder.is_shedding is sheds


@given(
    st.lists(
        st.builds(Load, late_s=st.floats(0, 1), busy=st.floats(0, 1), fills=st.floats(0, 1)),
        max_size=80,
    ),
    st.floats(0, 0.999),
)
def test_what_is_worth_more_is_never_refused_before_what_is_worth_less(
    loads: list[Load], draw: float
) -> None:
    shedder = Shedder()
    for tick, load in enumerate(loads):
        shedder.see(load, tick * 0.25)
        admitted = [shedder.admits(priority, draw) for priority in Priority]
        assert admitted == sorted(admitted, reverse=True)
        assert shedder.admits(Priority.PLAYBACK, draw)
        assert shedder.is_shedding or all(admitted)
        waits = [shedder.retry_after_s(priority, draw) for priority in Priority]
        assert waits == sorted(waits)
        assert waits[0] >= 1
    for tick in range(600):
        shedder.see(CALM, len(loads) * 0.25 + tick * 0.1)
    assert not shedder.is_shedding


def run(
    seed: int, offered: dict[Priority, float], *, seconds: int = 240
) -> tuple[list[float], dict[Priority, float]]:
    """A worker of capacity 100 under offered work: its openness in time, and what was admitted at
    the end, each by its share of what was offered."""
    chance, shedder = random.Random(seed), Shedder()
    opennesses, backlog, admitted = [], 0.0, {priority: list[float]() for priority in offered}
    for tick in range(seconds * 10):
        work = 0.0
        for priority, amount in offered.items():
            asked = round(amount * chance.uniform(0.8, 1.2))
            taken = sum(shedder.admits(priority, chance.random()) for _ in range(asked))
            admitted[priority].append(taken / max(1, asked))
            work += taken / 10
        backlog = max(0.0, backlog + work - 10.0)  # of a tenth of a second
        backlog = min(backlog, 40.0)
        busy = min(1.0, (work + backlog) / 10.0)
        late_s = backlog * 0.02 + 0.01 * busy * chance.random()
        shedder.see(Load(late_s=late_s, busy=busy, fills=backlog / 40.0), tick * 0.1)
        opennesses.append(shedder.openness)
    half = seconds * 5
    return opennesses, {priority: mean(each[half:]) for priority, each in admitted.items()}


@pytest.mark.parametrize("seed", range(3))
def test_it_settles_and_sheds_the_least_first(seed: int) -> None:
    offered = {
        Priority.PLAYBACK: 50.0,
        Priority.FEED: 30.0,
        Priority.UPLOADS: 60.0,
        Priority.PREWARMING: 30.0,
    }
    opennesses, admitted = run(seed, offered)
    assert admitted[Priority.PLAYBACK] > 0.99
    assert admitted[Priority.FEED] > 0.9
    assert admitted[Priority.UPLOADS] < 0.6
    assert admitted[Priority.PREWARMING] < 0.05
    settled = opennesses[len(opennesses) // 2 :]
    assert pstdev(settled) < 0.4, f"seed {seed} swings"
    served = sum(offered[each] * admitted[each] for each in offered)
    assert served > 75.0  # most of what it can do is done


def test_without_too_much_nothing_is_shed() -> None:
    opennesses, admitted = run(0, {Priority.PLAYBACK: 50.0, Priority.PREWARMING: 20.0}, seconds=60)
    assert min(opennesses) == OPEN
    assert set(admitted.values()) == {1.0}


def test_a_pause_of_the_machine_closes_no_more_than_its_own_time() -> None:
    policy = SheddingPolicy()
    shedder = Shedder(policy)
    shedder.see(CALM, 0.0)
    shedder.see(Load(late_s=5.0, busy=1.0, fills=1.0), 0.1)
    assert shedder.openness >= OPEN - 2 * policy.closes_per_s * 0.1
