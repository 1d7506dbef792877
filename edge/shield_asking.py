"""Asks other edges of the region for what this one lacks; what they cannot give, the origin can."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from cache_policies.message import Fields, RequestHead
from cache_policies.stored import Times, purge_tags
from cache_policies.storing import is_authorized
from edge.asking import Question, Received
from edge.counters import Counters
from edge.entry import IDENTITY
from edge.errors import BeyondError, OutdatedError, UpstreamError
from edge.fetch import Fetch, FillClient, Response
from edge.forwarding import HOP, UPWARDS, edge_fields, received_head
from edge.in_force import InForce
from edge.outcome import EDGE
from edge.purged import Purged
from edge.region_places import Places
from edge.region_sequence import Known, said
from edge.routes import Route, Upstream
from edge.settings import Limits
from edge.shield import Lease, Shield
from failover.health import Signal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cache_policies.message import ResponseHead

_SHARED: Final = frozenset({b"GET", b"HEAD"})
_MISDIRECTED: Final = 421  # it does not own the key, as it believes


def is_for_edges(request: RequestHead) -> bool:
    """Whether others may be asked for what a request wants.

    What comes with credentials, or with cookies, may be its user's alone.
    """
    private = is_authorized(request) or request.get(b"cookie") is not None
    return request.method in _SHARED and not private


def patient(limits: Limits) -> Limits:
    """The limits of connections to other edges: one that is slow is not worth waiting for."""
    return replace(
        limits,
        connect_s=limits.edge_connect_s,
        first_byte_s=limits.edge_silent_s,
        idle_s=limits.edge_idle_s,
    )


def _says_forward(line: tuple[bytes, bytes]) -> bool:
    """Whether a field line is another edge's word that it has asked further on."""
    name, value = line
    return name == b"cache-status" and value.startswith(IDENTITY) and b"; fwd-status=" in value


@dataclass(kw_only=True, slots=True)
class ShieldAsker:
    """Asks other edges; one per worker."""

    shield: Shield
    client: FillClient  # with patience for edges
    places: Places
    purged: Purged
    in_force: InForce
    limits: Limits
    counters: Counters
    token: bytes = field(repr=False)

    def between(self, routes: Sequence[Route], question: Question) -> list[Route]:
        """The routes with other edges between the workers of this node and the origins."""
        asked, own = question.asked, [route for route in routes if route.peer]
        shared = not asked.direct and asked.body is None and is_for_edges(question.request)
        if not shared or self._known(question) is None:
            return list(routes)
        edges = self.shield.routes(question.key, time.monotonic())
        return [*own, *edges, *(route for route in routes if not route.peer)]

    async def ask(self, route: Route, question: Question) -> Received:
        """What another edge answers. Raises UpstreamError when it is of no use, whatever it is."""
        lease = self.shield.ask(route, question.key)
        if lease is None:
            self._count(route, "edge-waits")
            raise UpstreamError("edge-waits", "it could wait for this edge, which others wait for")
        try:
            return await self._ask(route, question, lease)
        except UpstreamError as error:
            self._count(route, error.detail)
            lease.end()
            raise
        except BaseException:
            lease.end()
            raise

    async def ask_worker(
        self, question: Question, ask: Callable[[bytes], Awaitable[Received]]
    ) -> Received:
        """What another worker answers, asked with a mark where edges may wait for this one."""
        lease = self.shield.ask_worker(question.key, time.monotonic())
        if lease is None:
            return await ask(UPWARDS)
        try:
            received = await ask(b"")
        except BaseException:
            lease.end()
            raise
        return replace(received, response=LeasedResponse(received.response, lease))

    async def _ask(self, route: Route, question: Question, lease: Lease) -> Received:
        known = self._known(question)
        if known is None:
            raise UpstreamError("edge-no-log", "no log of purges has been read")
        request, asked = question.request, question.asked
        fields = edge_fields(request, self.token, known.line())
        sent_mono = time.monotonic()
        self.counters.edge_fills += 1
        try:
            async with asyncio.timeout(2 * self.limits.first_byte_s):
                response = await self.client.fetch(
                    route.upstream, Fetch(request.method, request.target, fields, early=asked.early)
                )
        except (TimeoutError, UpstreamError) as error:
            self.shield.saw(route.upstream, Signal.FAIL)
            why = error.detail if isinstance(error, UpstreamError) else "first-byte-timeout"
            raise UpstreamError(why, f"{route.upstream.url}: {error}") from None
        try:
            sequence, head = self._judged(route, question, response)
        except BaseException:
            response.close()
            raise
        now_mono = time.monotonic()
        forwarded = any(map(_says_forward, response.fields))
        if forwarded:
            self.shield.found_origin(route.upstream, Signal.OK, now_mono)
        delay_s = now_mono - sent_mono
        times = Times(response_wall=time.time(), response_mono=now_mono, response_delay_s=delay_s)
        if asked.trace is not None:
            asked.trace.steps.append((EDGE, delay_s))
        self.counters.took("fill_first_byte", EDGE, delay_s)
        self._count(route, "answered")

        def broke() -> None:
            self.shield.saw(route.upstream, Signal.FAIL)
            self._count(route, "cut")

        watched = LeasedResponse(response, lease, broke)
        return Received(
            *(watched, head, times, True),
            upstream=route.upstream, tier=EDGE, sequence=sequence, forwarded=forwarded,
        )  # fmt: skip

    def passed_over(self, stuck: Sequence[Upstream]) -> None:
        """Learn that these had no origin at hand for what one has given to somebody else."""
        now_mono = time.monotonic()
        for upstream in stuck:
            self.shield.found_origin(upstream, Signal.FAIL, now_mono)

    def _judged(
        self, route: Route, question: Question, response: Response
    ) -> tuple[int, ResponseHead]:
        """As of which purge here an answer counts, and its head. Raises UpstreamError."""
        refused = response.status == _MISDIRECTED
        error = next((value for name, value in response.fields if name == HOP), None)
        known = said(response.fields)
        is_one_of_us = refused or error is not None or known is not None
        self.shield.saw(route.upstream, Signal.OK if is_one_of_us else Signal.FAIL)
        if refused:
            raise UpstreamError("edge-refused")
        if error is not None:
            raise BeyondError(error.decode("latin-1"))
        if known is None:
            raise UpstreamError(f"status-{response.status}")
        head = received_head(response.status, response.fields, time.time(), peer=True)
        policy = self.in_force.policies.for_response(question.request, head)
        sequence = None
        if known.log_id == self.places.log_id:
            sequence = self.places.sequence_of(known.number)
        if sequence is None or self._is_purged(sequence, question.key, purge_tags(head, policy)):
            raise OutdatedError("edge-outdated")
        return sequence, head

    def _is_purged(self, sequence: int, key: bytes, tags: tuple[bytes, ...]) -> bool:
        purged = self.purged
        return purged.since(sequence, key, tags) or (
            purged.softly_since(sequence, key, tags) is not None
        )

    def _known(self, question: Question) -> Known | None:
        number, log_id = self.places.number_of(question.sequence), self.places.log_id
        return None if number is None or log_id is None else Known(log_id, number)

    def _count(self, route: Route, result: str) -> None:
        self.counters.edge_asked(route.upstream.url, result)


class LeasedResponse:
    """An answer on its way; a member whose answers break off is asked for others less."""

    def __init__(
        self, response: Response, lease: Lease, broke: Callable[[], None] | None = None
    ) -> None:
        self.status = response.status
        self.fields: Fields = response.fields
        self.length = response.length
        self._response = response
        self._lease = lease
        self._broke = broke

    async def read(self) -> bytes:
        """The next piece, b"" at the true end; raises UpstreamError when it was cut off."""
        try:
            piece = await self._response.read()
        except UpstreamError:
            if self._broke is not None:
                self._broke()
            self._lease.end()
            raise
        if not piece:
            self._lease.end()
        return piece

    def close(self) -> None:
        """Give the connection back, or cut it."""
        self._lease.end()
        self._response.close()
