"""Calls all who follow a fill after each change of it, in turns that keep the loop free."""

import asyncio
from collections import deque
from typing import Final, Protocol

AT_ONCE: Final = 128  # followers, between two looks at everything else on the loop
REST_S: Final = 40e-6  # after a round, for each follower: twice what one costs in it
_TICK_S: Final = 0.002  # a timer's grain: who rests less does not rest at all


class Follows(Protocol):
    """Who is called after each change of a fill, instead of waiting for it."""

    def go_on(self) -> None:
        """Look what there is now."""


class Rounds:
    """The followers of one fill: each is called once before any of them is called again.

    Between two rounds the loop is left to others, longer for a larger crowd: who joins is served
    first, and what the next round hands over has grown to fewer, larger pieces.
    """

    __slots__ = ("_due", "_ended_s", "_followers", "_has_begun", "_has_news", "_is_set", "_rests")

    def __init__(self) -> None:
        self._followers: dict[Follows, None] = {}
        self._due: deque[Follows] = deque()  # still to be called in this round
        self._is_set = False  # a round is to come, or under way
        self._has_begun = False  # somebody was called in it already
        self._has_news = False  # since then
        self._rests = False  # this round is followed by a rest
        self._ended_s = 0.0  # the last one that is, on the loop's clock

    def follow(self, follower: Follows) -> None:
        """Call a follower after each change from now on."""
        self._followers[follower] = None

    def unfollow(self, follower: Follows) -> None:
        """Call it no more."""
        self._followers.pop(follower, None)

    def tell(self, *, rests: bool) -> None:
        """Something has changed. Who `rests` has got something to do with before the next news."""
        if self._has_begun:
            self._has_news = True
        elif self._followers:
            self._rests = rests
            if not self._is_set:
                self._set()

    def _set(self) -> None:
        self._is_set = True
        loop = asyncio.get_running_loop()
        left_s = self._ended_s + REST_S * len(self._followers) - loop.time()
        if left_s < _TICK_S:
            loop.call_soon(self._begin)
        else:
            loop.call_later(left_s, self._begin)

    def _begin(self) -> None:
        self._has_begun, self._has_news = True, False
        self._due.extend(self._followers)
        self._go_round()

    def _go_round(self) -> None:
        due, followers = self._due, self._followers
        for _ in range(min(AT_ONCE, len(due))):
            follower = due.popleft()
            if follower in followers:
                follower.go_on()
        loop = asyncio.get_running_loop()
        if due:
            loop.call_soon(self._go_round)
            return
        if self._rests:
            self._ended_s = loop.time()
        self._is_set = self._has_begun = False
        if self._has_news:
            self.tell(rests=True)
