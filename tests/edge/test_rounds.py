"""Every follower hears of every change, in the order they came, and a crowd not too often."""

import asyncio

from edge.rounds import AT_ONCE, REST_S, Rounds
from tests.support.virtual_time import virtual_time


class Listener:
    def __init__(self, name: int, heard: list[int]) -> None:
        self.name, self.heard = name, heard

    def go_on(self) -> None:
        self.heard.append(self.name)


def crowd(size: int) -> tuple[Rounds, list[Listener], list[int]]:
    heard: list[int] = []
    rounds, listeners = Rounds(), [Listener(name, heard) for name in range(size)]
    for listener in listeners:
        rounds.follow(listener)
    return rounds, listeners, heard


def test_each_is_called_once_in_the_order_they_came_and_others_in_between():
    async def scene() -> tuple[list[int], int]:
        rounds, _, heard = crowd(3 * AT_ONCE)
        rounds.tell(rests=False)
        rounds.tell(rests=True)  # before anybody was called: the same round tells of both
        turns = 0
        while len(heard) < 3 * AT_ONCE:
            await asyncio.sleep(0)
            turns += 1
        await asyncio.sleep(1)
        return heard, turns

    with virtual_time() as loop:
        heard, turns = loop.run_until_complete(scene())
    assert heard == list(range(3 * AT_ONCE))
    assert turns >= 3


def test_who_leaves_is_not_called_and_who_comes_waits_for_the_next_change():
    async def scene() -> list[int]:
        rounds, listeners, heard = crowd(2 * AT_ONCE)
        rounds.tell(rests=False)
        await asyncio.sleep(0)
        rounds.unfollow(listeners[-1])
        late = Listener(-1, heard)
        rounds.follow(late)
        rounds.tell(rests=False)
        await asyncio.sleep(1)
        return heard

    with virtual_time() as loop:
        heard = loop.run_until_complete(scene())
    once = list(range(2 * AT_ONCE - 1))
    assert heard == [*once, *once, -1]


async def seconds_between_rounds(size: int, *, rests: bool) -> float:
    """From the last call of one round to the first call of the next, news being there at once."""
    rounds, _, heard = crowd(size)
    called_s: list[float] = []

    class Clock:
        def go_on(self) -> None:
            called_s.append(asyncio.get_running_loop().time())
            if len(called_s) == 1:
                rounds.tell(rests=True)

    rounds.follow(Clock())
    rounds.tell(rests=rests)
    await asyncio.sleep(1)
    assert heard == [*range(size), *range(size)]
    first_s, second_s = called_s
    return second_s - first_s


def test_a_crowd_rests_between_two_rounds_but_a_few_do_not():
    with virtual_time() as loop:
        assert loop.run_until_complete(seconds_between_rounds(10, rests=True)) < 1e-3
        rest_s = loop.run_until_complete(seconds_between_rounds(1000, rests=True))
    assert REST_S * 1000 - 1e-3 < rest_s < REST_S * 1000 + 5e-3


def test_a_head_without_a_body_is_followed_by_no_rest():
    with virtual_time() as loop:
        assert loop.run_until_complete(seconds_between_rounds(1000, rests=False)) < 1e-3
