"""Asks upstreams for a response, best first, until one gives a good one."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from cache_policies.message import Fields, RequestHead, ResponseHead
from cache_policies.partial import strong_etag
from cache_policies.stored import Times
from edge.counters import Counters
from edge.errors import (
    BeyondError,
    CrowdedError,
    MemoryShortError,
    NotCachedError,
    OutdatedError,
    UpstreamError,
    UpstreamTimeoutError,
)
from edge.fair_share import title_of
from edge.fetch import IDEMPOTENT, Fetch, FillClient, Response
from edge.forwarding import HOP, forwarded_fields, received_head, unconditional
from edge.held_back import HeldBackResponse
from edge.in_force import InForce
from edge.memory import Memory
from edge.outcome import EDGE, ORIGIN, PEER
from edge.places import Places
from edge.region_sequence import SEQUENCE
from edge.resuming import ResumingResponse
from edge.retries import RetryBudget
from edge.routes import Route, Upstream
from edge.server_timing import Trace
from edge.settings import Limits
from edge.upstreams import Upstreams
from failover.health import Signal

if TYPE_CHECKING:
    from edge.promoting import Found
    from edge.shield_asking import ShieldAsker

SERVER_ERRORS: Final = frozenset({500, 502, 503, 504})
_UNHEALTHY: Final = frozenset({502, 503, 504})
_UNSENT: Final = frozenset({"connect-refused", "connect-timeout"})  # the request never left
_SICK: Final = _UNSENT | {"connection-lost", "first-byte-timeout"}
_SILENT: Final = frozenset({"connect-timeout", "first-byte-timeout"})
SILENT_MAX: Final = 2  # edges that are waited for in vain; then the origin is asked
_SAFE: Final = frozenset({b"GET", b"HEAD"})
_RESUMED: Final = frozenset({200, 206})
_BYTES_FROM: Final = {ORIGIN: "fill_bytes", PEER: "peer_bytes", EDGE: "edge_bytes"}
SHARE: Final = b"title-"  # what a refusal begins with that is about a title's share
_LOOK_AGAIN_S: Final = 0.1  # for room in memory


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for a fill, beside what."""

    client: bytes = b"unknown"  # address
    direct: bool = False  # ask the origin itself: nothing could be shared
    inside: bool = False  # another worker of this node asks: none of them is asked again
    sequence: int = 0  # of the last purge that the peer which asks has applied
    body: AsyncIterator[bytes] | None = None
    body_length: int | None = None
    trace: Trace | None = None  # of a request that carries the debug token
    early: Callable[[Fields], None] | None = None  # told of early hints, while nothing was sent
    pace: Callable[[], Awaitable[None]] | None = None  # waits before each piece is read
    only_held: bool = False  # nobody else may be asked (RFC 9111 §5.2.1.7)


@dataclass(frozen=True, slots=True)
class Received:
    """A response whose body is still to be read, and when its head came."""

    response: Response
    head: ResponseHead
    times: Times
    peer: bool = False  # it comes from another worker, or another edge
    found: Found | None = None  # in a lower tier: it is not judged again
    upstream: Upstream | None = None
    tier: str = ORIGIN  # where it comes from
    sequence: int | None = None  # of the last purge here that it comes after, if another says so
    forwarded: bool = True  # somebody asked an origin for it just now

    def as_of(self, sequence: int) -> int:
        """The last purge that what was asked for after `sequence` comes after."""
        return sequence if self.sequence is None else min(sequence, self.sequence)

    def count(self, counters: Counters, size: int) -> None:
        """Count bytes of its body that have come."""
        if self.found is None:
            name = _BYTES_FROM[self.tier]
            setattr(counters, name, getattr(counters, name) + size)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, for whom, and as of which purge."""

    key: bytes
    request: RequestHead
    asked: Asked
    sequence: int


@dataclass(slots=True)
class Tries:
    """The routes still to be tried: each once, and one more time where its connection was lost."""

    left: deque[Route]
    tried: set[Route] = field(default_factory=set)
    again: set[Route] = field(default_factory=set)
    silent: int = 0  # edges that were
    stuck: list[Upstream] = field(default_factory=list)  # edges that reached no origin

    def take(self) -> Route:
        """The next route."""
        route = self.left.popleft()
        self.tried.add(route)
        return route

    def failed(self, route: Route, error: UpstreamError) -> None:
        """Try a route again after the others, when all that it lost is a connection.

        After an edge whose answer may be outdated nobody but the origin is asked, nor after some
        that are silent: all may be, where the network is cut.
        """
        self.silent += route.edge and error.detail in _SILENT
        if isinstance(error, BeyondError) and error.detail in _SICK:
            self.stuck.append(route.upstream)
        if isinstance(error, OutdatedError) or self.silent >= SILENT_MAX:
            self.left = deque(each for each in self.left if not each.peer)
        if error.detail == "connection-lost" and not route.peer and route not in self.again:
            self.again.add(route)
            self.left.append(route)


@dataclass(kw_only=True, slots=True)
class Asker:
    """Asks upstreams; one per worker."""

    client: FillClient
    upstreams: Upstreams
    memory: Memory
    in_force: InForce
    limits: Limits
    counters: Counters
    budget: RetryBudget
    places: Places  # at origins
    shield: ShieldAsker | None = None  # where the node is one of a region's

    async def ask(
        self, key: bytes, request: RequestHead, asked: Asked, *, sequence: int = 0
    ) -> Received:
        """The response of the first upstream that gives a good one.

        Raises UpstreamError, and NotCachedError when nobody may be asked.

        Its body goes on at another upstream, or another connection, where it breaks off. A peer
        that has not applied the purge `sequence` passes the fill through to the origin.
        """
        if asked.only_held:
            raise NotCachedError("only-if-cached")
        question = Question(key, request, asked, sequence)
        received = await self._best(question)
        if asked.pace is not None:
            paced = HeldBackResponse(received.response, asked.pace)
            received = replace(received, response=paced)
        etag = strong_etag(received.head)
        if request.method != b"GET" or received.head.status not in _RESUMED or etag is None:
            return received
        broken = received.upstream
        base = unconditional(request.fields)

        async def ask_rest(fields: Fields) -> tuple[Response, ResponseHead]:
            nonlocal broken
            self.counters.resumed += 1
            rest = replace(request, fields=(*base, *fields))
            more = await self._best(replace(question, request=rest), last=broken)
            broken = more.upstream
            return more.response, more.head

        resuming = ResumingResponse(received.response, received.head, etag, ask_rest)
        return replace(received, response=resuming)

    async def _best(self, question: Question, *, last: Upstream | None = None) -> Received:
        """The best answer there is; `last` is asked last. Raises UpstreamError without any.

        A server's error is the answer only when nobody else has a better one.
        """
        await self.room()
        request, asked = question.request, question.asked
        group = self.in_force.policies.for_request(request).origin
        direct = asked.direct or asked.inside
        routes: Sequence[Route] = self.upstreams.of(question.key, direct=direct, group=group)
        if self.shield is not None:
            routes = self.shield.between(routes, question)
        tries = Tries(deque(sorted(routes, key=lambda route: route.upstream == last)))
        self.budget.earn()
        best: Received | None = None  # a server's error, until somebody has better
        failure = UpstreamError("no-upstream", "nobody to ask")
        try:
            while tries.left and self._may_try(tries):
                route = tries.take()
                try:
                    received = await self._once(route, question)
                except CrowdedError:
                    raise
                except UpstreamError as error:
                    if not _may_go_on(request, asked, error):
                        raise
                    tries.failed(route, error)
                    failure = error.again()  # frames, which its traceback has, would hold it
                    continue
                if route.peer and not route.edge:
                    _raise_error_of_peer(received.response)
                if best is not None:
                    best.response.close()
                best = received
                if not _is_poor(request, received):
                    self._passed_over(tries.stuck, received)
                    break
        except BaseException:
            if best is not None:
                best.response.close()
            raise
        if best is None:
            raise failure.again()
        return best

    def _passed_over(self, stuck: list[Upstream], received: Received) -> None:
        """Learn of edges that reached no origin where somebody else did."""
        if stuck and received.forwarded and self.shield is not None:
            self.shield.passed_over(stuck)

    def _may_try(self, tries: Tries) -> bool:
        """Whether the next route may be asked: a retry where that may add to a failure is paid."""
        route = tries.left[0]
        if not tries.tried:
            return True
        strains = route in tries.tried or self.upstreams.origins.is_down(route.upstream)
        if strains and not self.budget.spend():
            self.counters.retries_refused += 1
            return False
        self.counters.retries += 1
        return True

    async def _once(self, route: Route, question: Question) -> Received:
        """One attempt at one upstream, and what it says about its health."""
        if self.shield is None or not route.peer:
            return await self._sent(route, question)
        if route.edge:
            return await self.shield.ask(route, question)
        return await self.shield.ask_worker(question, partial(self._sent, route, question))

    async def _sent(self, route: Route, question: Question, mark: bytes = b"") -> Received:
        """What an origin answers, or another worker, which is told a `mark`."""
        request, asked = question.request, question.asked
        hop = b"%d%b" % (question.sequence, mark) if route.peer else None
        fields = forwarded_fields(request, asked.client, hop=hop)
        place = None if route.peer else await self.places.enter(title_of(question.key))
        fetch = Fetch(
            request.method,
            request.target,
            fields,
            asked.body,
            asked.body_length,
            asked.early,
            place,
        )
        if route.peer:
            self.counters.peer_fills += 1
        else:
            self.counters.fills += 1
        tier = PEER if route.peer else ORIGIN
        sent_mono = time.monotonic()
        origins = self.upstreams.origins
        try:
            response = await _fetched(self.client, route.upstream, fetch)
        except UpstreamError as error:
            self.counters.fills_failed += 1
            _note(asked, tier, sent_mono)
            if not route.peer:
                self.counters.origin_failed(route.upstream.url, error.detail)
            if error.detail in _SICK:
                origins.saw(route.upstream, Signal.FAIL)
            raise
        signal = health_signal(response.status)
        origins.saw(route.upstream, signal)
        if signal is Signal.FAIL and not route.peer:
            self.counters.origin_failed(route.upstream.url, word_for(response.status))
        now_mono, now_wall = time.monotonic(), time.time()
        head = received_head(response.status, response.fields, now_wall, peer=route.peer)
        delay_s = now_mono - sent_mono
        times = Times(response_wall=now_wall, response_mono=now_mono, response_delay_s=delay_s)
        _note(asked, tier, sent_mono)
        self.counters.took("fill_first_byte", tier, delay_s)
        sequence = _workers_sequence(response.fields) if route.peer else None
        return Received(
            *(response, head, times, route.peer),
            upstream=route.upstream, tier=tier, sequence=sequence,
        )  # fmt: skip

    async def room(self) -> None:
        """Wait while memory is full: slow readers are being cut, and then it is not."""
        until_mono = time.monotonic() + self.limits.memory_wait_s
        while self.memory.relieve() >= 1.0:
            if time.monotonic() > until_mono:
                raise MemoryShortError("memory-short", "players hold all memory there is")
            await asyncio.sleep(_LOOK_AGAIN_S)


async def _fetched(client: FillClient, upstream: Upstream, fetch: Fetch) -> Response:
    """The response, which leaves its place when it has been read; without one nobody has it."""
    try:
        return await client.fetch(upstream, fetch)
    except BaseException:
        if fetch.place is not None:
            fetch.place.leave()
        raise


def _note(asked: Asked, tier: str, sent_mono: float) -> None:
    if asked.trace is not None:
        asked.trace.steps.append((tier, time.monotonic() - sent_mono))


def health_signal(status: int) -> Signal:
    """What an answer's status says about its server; a 500 may be one resource's defect."""
    return Signal.FAIL if status in _UNHEALTHY else Signal.OK


def word_for(status: int) -> str:
    """The named reason of a failure that is an answer."""
    return f"status-{status}"


def _may_go_on(request: RequestHead, asked: Asked, error: UpstreamError) -> bool:
    """Whether asking somebody else repeats nothing that must happen once (RFC 9110 §9.2.2)."""
    repeatable = asked.body is None and request.method in IDEMPOTENT
    return repeatable or error.detail in _UNSENT


def _is_poor(request: RequestHead, received: Received) -> bool:
    """Whether another upstream may have a better answer; a peer has asked them all."""
    return request.method in _SAFE and received.head.status in SERVER_ERRORS and not received.peer


def _workers_sequence(fields: Fields) -> int | None:
    """The last purge that another worker's answer comes after, as it says."""
    return next((int(value) for name, value in fields if name == SEQUENCE), None)


def _raise_error_of_peer(response: Response) -> None:
    """Break as the peer did, for the reason that its hop field gives."""
    for name, detail in response.fields:
        if name == HOP:
            response.close()
            if detail.startswith(SHARE):  # it would be refused here, too
                after = dict(response.fields).get(b"retry-after", b"1")
                raise CrowdedError(detail.decode("latin-1"), retry_after_s=int(after))
            kind = UpstreamTimeoutError if response.status == 504 else UpstreamError
            raise kind(detail.decode("latin-1"))
