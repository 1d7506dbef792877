"""A flood on one title never takes the places of another."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.fair_share import EAGERNESS, FairShare, Queues, title_of

FLOOD, QUIET = b"http://a/flood", b"http://a/quiet"


@pytest.mark.parametrize(
    ("key", "title"),
    [
        (b"http://a/v/abcdefghijklmnop/1.m4s", b"http://a/abcdefghijklmnop"),
        (b"http://a/v/abcdefghijklmnop/2/3.m3u8?x=1", b"http://a/abcdefghijklmnop"),
        (b"http://a/films/one/1.ts", b"http://a//films/one"),
        (b"http://a/api/users/1", b"http://a/api"),
        (b"http://a/api?x", b"http://a/api"),
        (b"http://a/", b"http://a/"),
        (b"https://a/" + b"x" * 500, b"https://a/" + b"x" * 128),
    ],
)
def test_a_title_is_a_story_or_what_is_below_a_directory(key: bytes, title: bytes) -> None:
    assert title_of(key) == title


@given(st.integers(1, 300), st.integers(1, 5))
def test_floods_leave_places_free(places: int, floods: int) -> None:
    share = FairShare(places)
    for _ in range(2 * places):
        for number in range(floods):
            title = b"%d" % number
            if share.admits(title):
                share.enter(title)
    free = places - share.taken
    assert free >= 0
    if places >= 4 * (1 + EAGERNESS * floods):
        assert free >= places / (1 + EAGERNESS * floods) / 2
        assert share.admits(b"another")
        assert len(share.by_title) == floods
        spread = max(share.by_title.values()) - min(share.by_title.values())
        assert spread <= 1 + EAGERNESS


def test_a_place_that_is_left_is_free() -> None:
    share = FairShare(1)
    assert share.admits(FLOOD)
    share.enter(FLOOD)
    assert not share.admits(FLOOD)
    assert not share.admits(QUIET)
    share.leave(FLOOD)
    assert share.admits(QUIET)
    assert not share.by_title


def simulate(seed: int) -> tuple[Counter[bytes], list[int], int]:
    """A flood of slow requests beside a quiet title: how many of each ended, how long the quiet
    ones waited, and how many of them there were."""
    chance = random.Random(seed)
    queues = Queues[tuple[bytes, int]](FairShare(32))
    running: list[tuple[int, bytes]] = []  # when it ends, of which title
    ended, waits, asked_quietly = Counter[bytes](), list[int](), 0

    def begin(title: bytes, asked: int, now: int) -> None:
        running.append((now + chance.randint(5, 40), title))
        if title == QUIET:
            waits.append(now - asked)

    for now in range(2_000):
        for end, title in [each for each in running if each[0] <= now]:
            running.remove((end, title))
            ended[title] += 1
            for entered, asked in queues.leave(title):
                begin(entered, asked, now)
        arrivals = [FLOOD] * 20 + [QUIET] * (chance.random() < 0.2)
        asked_quietly += arrivals.count(QUIET)
        chance.shuffle(arrivals)
        for title in arrivals:
            if queues.ahead(title) < 100 and queues.arrive(title, (title, now)):
                begin(title, now, now)
    return ended, waits, asked_quietly


@pytest.mark.parametrize("seed", range(5))
def test_who_asks_a_little_hardly_waits_beside_a_flood(seed: int) -> None:
    ended, waits, asked = simulate(seed)
    assert len(waits) > 300
    assert sum(wait > 0 for wait in waits) < 0.05 * len(waits), f"seed {seed}"
    assert ended[FLOOD] > 1_000  # and the flood has all the rest
    assert ended[QUIET] >= asked - 32  # but for those in progress


def test_lines_are_served_in_turn_and_in_order() -> None:
    queues = Queues[str](FairShare(3))
    assert queues.arrive(b"a", "a1")
    assert queues.arrive(b"a", "a2")
    assert not queues.arrive(b"a", "a3")
    assert not queues.arrive(b"a", "a4")
    assert queues.arrive(b"b", "b1")
    assert not queues.arrive(b"b", "b2")
    assert (len(queues), queues.ahead(b"a"), queues.ahead(b"c")) == (3, 2, 0)
    queues.give_up(b"a", "a3")
    assert queues.leave(b"a") == ["a4"]
    assert queues.leave(b"a") == ["b2"]
    assert len(queues) == 0
    queues.leave(b"a")
    queues.leave(b"b")
    assert queues.leave(b"b") == []
