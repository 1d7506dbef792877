"""What other edges of the region ask of this one: like a player's requests, but for their token."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from cache_policies.message import Fields
from edge.app import EdgeApp, Receive, text_answer
from edge.asking import Asked
from edge.body import Piece
from edge.counters import Counters
from edge.cycle import Scope
from edge.delivery import Answer, Body
from edge.forwarding import TOKEN
from edge.outcome import refused
from edge.region_places import Places
from edge.region_sequence import Known, said
from edge.server_timing import Trace
from edge.shield import Lease, Shield

ALIVE_EVERY_S: Final = 0.25  # a sign of life while the head is awaited
BEHIND: Final = 1 << 62  # what was purged by then is not known here
_METHODS: Final = frozenset({"GET", "HEAD"})


@dataclass(kw_only=True, slots=True)
class Entrance:
    """What decides on questions of other edges; one per worker."""

    shield: Shield
    places: Places
    counters: Counters
    token: bytes = field(repr=False)
    catch_up: Callable[[], int]  # applies published purges, returns the last one's number
    read_on: Callable[[], Awaitable[None]]  # has the log read, if that is soon done

    def admits(self, fields: Fields) -> bool:
        """Whether who asks is an edge of this region; compared in constant time."""
        given = [value for name, value in fields if name == TOKEN]
        return len(given) == 1 and hmac.compare_digest(given[0], self.token)

    async def is_behind(self, known: Known) -> bool:
        """Whether this edge knows less of purges than who asks, even after reading on."""
        if self._reached() >= known.number:
            return False
        await self.read_on()
        return self.places.log_id != known.log_id or self._reached() < known.number

    def told(self, answer: Answer, known: Known, *, behind: bool) -> Known:
        """As of which purge an answer counts: what was passed through came after the question."""
        if behind or answer.sequence is None:
            return known
        if self.places.log_id != known.log_id:  # it was begun anew meanwhile: numbers are of that
            return Known(known.log_id, 0)
        return Known(known.log_id, self.places.number_of(answer.sequence) or 0)

    def _reached(self) -> int:
        number = self.places.number_of(self.catch_up())
        return -1 if number is None else number


class ShieldApp(EdgeApp):
    """Answers other edges. Nobody who asks here waits for one that waits for it."""

    entrance: Entrance  # given once there is one

    def _own(self, scope: Scope) -> Answer | None:
        """As for anybody; and to another edge of the region that it is talking to one."""
        answer, entrance = super()._own(scope), self.entrance
        if answer is not None and entrance.admits(tuple(scope["headers"])):
            number, log_id = entrance.places.number_of(entrance.catch_up()), entrance.places.log_id
            if number is not None and log_id is not None:
                answer.fields = (*answer.fields, Known(log_id, number).line())
        return answer

    async def _answer(self, scope: Scope, receive: Receive, trace: Trace | None) -> Answer:
        entrance = self.entrance
        fields: Fields = tuple(scope["headers"])
        known, lease = said(fields), None
        entrance.catch_up()
        if not entrance.admits(fields):
            result, status = "forbidden", 403
        elif scope["method"] not in _METHODS:
            result, status = "method", 405
        elif known is None or known.log_id != entrance.places.log_id:
            result, status = "other-log", 421
        elif (lease := entrance.shield.answer(self._key(scope, fields), time.monotonic())) is None:
            result, status = "not-owner", 421
        if known is None or lease is None:
            entrance.counters.edge_answered(result)
            answer = text_answer(status, result.encode() + b"\n")
            answer.outcome = refused(result)
            return answer
        try:
            with self._alive(scope):
                behind = await entrance.is_behind(known)
                sequence = BEHIND if behind else 0
                scope["extensions"]["amaro.edge"]["asked"] = Asked(
                    client=self._client(scope), direct=behind, sequence=sequence
                )
                answer = await super()._answer(scope, receive, trace)
        except BaseException:
            lease.end()
            raise
        entrance.counters.edge_answered("behind" if behind else "answered")
        told = entrance.told(answer, known, behind=behind)
        answer.fields = (*answer.fields, told.line())
        answer.body = LeasedBody(answer.body, lease)
        return answer

    @contextmanager
    def _alive(self, scope: Scope) -> Iterator[None]:
        """Say that an answer will come, as long as it is awaited: silence would mean death."""
        loop, alive = asyncio.get_running_loop(), scope["extensions"]["amaro.edge"]["alive"]
        timer: asyncio.TimerHandle

        def beat() -> None:
            nonlocal timer
            alive()
            timer = loop.call_later(ALIVE_EVERY_S, beat)

        timer = loop.call_later(ALIVE_EVERY_S, beat)
        try:
            yield
        finally:
            timer.cancel()


class LeasedBody:
    """A body for which another edge waits."""

    def __init__(self, body: Body, lease: Lease) -> None:
        self._body = body
        self._lease = lease

    async def read(self) -> Piece:
        """The next bytes."""
        return await self._body.read()

    def close(self) -> None:
        """Nobody waits any more."""
        self._lease.end()
        self._body.close()
