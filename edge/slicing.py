"""Fetches the slices that a range needs, each once however many players wait for it."""

import asyncio
import time
from dataclasses import dataclass, field, replace
from typing import Final

from cache_policies.cache_status import CacheStatus
from cache_policies.message import RequestHead
from cache_policies.partial import as_whole, continues, rest_fields
from cache_policies.policy import CachePolicy
from cache_policies.ranges import seek_offset
from cache_policies.storing import NoStore, judge_storing
from edge.arena import SLICE_BYTES
from edge.asking import SERVER_ERRORS, Asked, Asker, Received
from edge.body import GrowingBody, Piece, part_of
from edge.collapse import Uncacheable
from edge.counters import Counters
from edge.delivery import Answer, of_stored
from edge.errors import EdgeError, RefusedError, UpstreamError
from edge.forwarding import unconditional
from edge.in_force import InForce
from edge.memory import Memory
from edge.settings import Limits
from edge.sliced import SlicedEntry
from edge.tasks import Tasks

_AHEAD_FROM: Final = SLICE_BYTES // 2  # read of a slice before the next one is asked for


class ChangedError(UpstreamError):
    """The origin has another representation than the slices that are here."""


@dataclass(frozen=True, slots=True)
class Source:
    """Whose slices are wanted, and who asks for them."""

    entry: SlicedEntry
    request: RequestHead
    asked: Asked
    sequence: int  # of the last purge applied when it was asked


class SliceFill:
    """One slice on its way: all who need it read along."""

    __slots__ = ("_waiting", "body", "error", "reserved_bytes")

    def __init__(self) -> None:
        self.body = GrowingBody()
        self.error: EdgeError | None = None
        self.reserved_bytes = 0  # of the memory budget
        self._waiting: list[asyncio.Future[None]] = []

    async def read(self, offset: int) -> Piece:
        """What there is from `offset` on, once there is something. Raises what broke the fill."""
        while not (piece := self.body.read(offset)):
            if self.error is not None:
                raise self.error.again()
            future = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            await future
        return piece

    def tell(self) -> None:
        """Wake all who wait."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def fail(self, error: EdgeError) -> None:
        """End without success, unless it has ended already."""
        self.error = self.error or error.again()
        self.tell()


@dataclass(kw_only=True, slots=True)
class Slicer:
    """Keeps sliced entries filled; one per worker."""

    asker: Asker
    memory: Memory
    tasks: Tasks
    in_force: InForce
    limits: Limits
    counters: Counters
    unsliced: Uncacheable  # keys whose parts cannot be combined
    running: dict[tuple[SlicedEntry, int], SliceFill] = field(default_factory=dict)

    def first_slice(self, key: bytes, request: RequestHead, policy: CachePolicy) -> int | None:
        """The slice to ask for first, when a part of an unknown body is wanted."""
        offset = seek_offset(request)
        if offset is None or not policy.slices or (key, time.monotonic()) in self.unsliced:
            return None
        return offset // SLICE_BYTES

    async def answer(self, source: Source, says: CacheStatus) -> Answer | None:
        """The answer from an entry that lacks some of it; None when the origin has another by now.

        Raises EdgeError when its first bytes cannot be had.
        """
        bodies = []

        def open_body(first: int, last: int) -> SlicedBody:
            body = SlicedBody(self, source, first, last)
            bodies.append(body)
            return body

        answer = of_stored(source.entry, source.request, says, time.monotonic(), open_body)
        try:
            for body in bodies:
                await body.begin()
        except ChangedError:
            return None
        return answer

    def begin(self, entry: SlicedEntry, number: int) -> SliceFill:
        """A fill that others may join from now on; whoever begins it sees it through."""
        fill = self.running[entry, number] = SliceFill()
        return fill

    def fill(self, source: Source, number: int) -> SliceFill:
        """The fill that brings a slice, begun if need be. Raises RefusedError."""
        running = self.running.get((source.entry, number))
        if running is not None:
            return running
        if len(self.tasks) >= self.limits.fills_max:
            raise RefusedError("fills-max")
        fill = self.begin(source.entry, number)
        self.tasks.start(self._run(source, number, fill))
        return fill

    async def _run(self, source: Source, number: int, fill: SliceFill) -> None:
        entry = source.entry
        try:
            received = await self._ask(source, *entry.span(number))
        except UpstreamError as error:
            fill.fail(error)
            self._end(entry, number, fill)
        else:
            await self.receive(entry, number, fill, received)

    async def _ask(self, source: Source, first: int, last: int) -> Received:
        """The answer that brings these bytes of the entry's representation, and no others."""
        entry, request = source.entry, source.request
        fields = (*unconditional(request.fields), *rest_fields(entry.etag, first, last))
        request = replace(request, method=b"GET", fields=fields)
        sequence = source.sequence
        received = await self.asker.ask(entry.key, request, source.asked, sequence=sequence)
        head = received.head
        part = continues(head, entry.etag, first, entry.length)
        if head.status == 206 and part is not None and part.last == last:
            whole = as_whole(head)
            assert whole is not None
            policy = self.in_force.policies.for_response(request, whole)
            judged = judge_storing(request, whole, received.times, policy)
            if not isinstance(judged, NoStore):
                return received
        received.response.close()
        if head.status in SERVER_ERRORS:
            raise UpstreamError("slice-refused", f"status {head.status} to a range")
        self.memory.remove(entry)
        if head.status == 200:  # no ranges any more, or not for us
            self.unsliced.remember(entry.key, received.times.response_mono)
        raise ChangedError("changed", "the origin has another representation by now")

    async def receive(
        self, entry: SlicedEntry, number: int, fill: SliceFill, received: Received
    ) -> None:
        """Take the body of a slice; keep the slice when it is whole."""
        first, last = entry.span(number)
        response = received.response
        try:
            while piece := await response.read():
                if received.peer:
                    self.counters.peer_bytes += len(piece)
                else:
                    self.counters.fill_bytes += len(piece)
                fill.reserved_bytes += len(piece)
                self.memory.reserve(len(piece))
                self.memory.watch(fill.body.append(piece))
                del piece
                fill.tell()
                if fill.body.size > last - first + 1:
                    break
            if fill.body.size != last - first + 1:
                raise UpstreamError("truncated", "a slice of another length than announced")
            self._keep(entry, number, fill)
        except UpstreamError as error:
            fill.fail(error)
        finally:
            response.close()
            self._end(entry, number, fill)

    def _keep(self, entry: SlicedEntry, number: int, fill: SliceFill) -> None:
        (data,) = fill.body.slices()
        self.memory.release(fill.reserved_bytes)
        fill.reserved_bytes = 0
        if self.memory.grow(entry, number, data, self._kept_bytes_max) and entry.is_complete:
            whole = entry.become_whole()
            self.memory.remove(entry)
            self.memory.store(whole)
            self.counters.stored += 1

    @property
    def _kept_bytes_max(self) -> int:
        return min(self.limits.object_max_bytes, self.memory.budget_bytes // 2)

    def _end(self, entry: SlicedEntry, number: int, fill: SliceFill) -> None:
        if self.running.get((entry, number)) is fill:
            del self.running[entry, number]
        self.memory.release(fill.reserved_bytes)
        fill.reserved_bytes = 0
        if fill.error is None and entry.slice(number) is None:
            self.memory.watch(fill.body.held())  # readers may hold it for long
        fill.fail(UpstreamError("fill-ended", "this edge is shutting down"))


class SlicedBody:
    """Bytes of a sliced entry: from memory where they are there, else from their slice's fill."""

    def __init__(self, slicer: Slicer, source: Source, first: int, last: int) -> None:
        self._slicer = slicer
        self._source = source
        self._at = first
        self._last = last
        self._begun: Piece = b""
        self._fill: tuple[int, SliceFill] | None = None

    async def begin(self) -> None:
        """Wait for the first bytes: what cannot be had is an error then, not a cut later."""
        self._begun = await self._next()

    async def read(self) -> Piece:
        """The next bytes, waiting for them."""
        piece, self._begun = self._begun, b""
        return piece or await self._next()

    def close(self) -> None:
        """Let go of them; a slice that was begun is fetched to its end."""
        self._at, self._fill, self._begun = self._last + 1, None, b""

    async def _next(self) -> Piece:
        if self._at > self._last:
            return b""
        number, within = divmod(self._at, SLICE_BYTES)
        held = self._source.entry.slice(number)
        if held is not None:
            self._fill = None
            piece = part_of(held, within, len(held))
        else:
            if self._fill is None or self._fill[0] != number:
                self._fill = number, self._slicer.fill(self._source, number)
            piece = await self._fill[1].read(within)
        left = self._last + 1 - self._at
        if len(piece) > left:
            piece = memoryview(piece)[:left]
        self._at += len(piece)
        if within + len(piece) >= _AHEAD_FROM:
            self._read_ahead(number + 1)
        return piece

    def _read_ahead(self, number: int) -> None:
        """Have the next slice come while this one is read."""
        entry = self._source.entry
        if number * SLICE_BYTES > self._last or entry.slice(number) is not None:
            return
        try:
            self._slicer.fill(self._source, number)
        except RefusedError:
            return  # it is asked for again when it is needed
