"""Brings the slices that a request needs, each once however many players wait for it."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from cache_policies.cache_status import CacheStatus, Forward
from cache_policies.message import RequestHead
from cache_policies.partial import as_whole, continues, rest_fields
from cache_policies.policy import CachePolicy
from cache_policies.ranges import seek_offset
from cache_policies.renewing import renew
from edge.arena import SLICE_BYTES
from edge.asking import SERVER_ERRORS, Asked, Asker, Received
from edge.body import GrowingBody, Piece, part_of
from edge.collapse import Uncacheable
from edge.counters import Counters
from edge.delivery import Answer, missing, of_stored
from edge.errors import EdgeError, NotCachedError, RefusedError, UpstreamError
from edge.forwarding import unconditional
from edge.in_force import InForce
from edge.lower_slices import Wanted, forget, has_slice, slice_of
from edge.memory import Memory
from edge.outcome import ORIGIN
from edge.promoting import LowerTiers
from edge.settings import Limits
from edge.slice_stream import SliceStream
from edge.sliced import SlicedEntry
from edge.tasks import Tasks

_AHEAD_FROM: Final = SLICE_BYTES // 2  # read of a slice before the next one is asked for
_PASSING_SHARE: Final = 16  # of memory, for slices of what lower tiers have and memory cannot hold
_PASSING_MIN_BYTES: Final = 4 * SLICE_BYTES


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

    __slots__ = ("_waiting", "body", "error", "reserved_bytes", "tier")

    def __init__(self, join: Callable[[Sequence[bytes]], bytes]) -> None:
        self.body = GrowingBody(join)
        self.tier = ORIGIN  # or what has it below memory
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
    lower: LowerTiers
    unsliced: Uncacheable  # keys whose parts cannot be combined
    running: dict[tuple[SlicedEntry, int], SliceFill] = field(default_factory=dict)
    streams: dict[SlicedEntry, SliceStream] = field(default_factory=dict)  # that bring several

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
        bodies: list[SlicedBody] = []
        begun: list[SlicedBody] = []

        def open_body(first: int, last: int) -> SlicedBody:
            if begun:
                return begun.pop()
            bodies.append(SlicedBody(self, source, first, last))
            return bodies[-1]

        entry, request = source.entry, source.request
        answer = of_stored(entry, request, says, time.monotonic(), open_body)
        try:
            for body in bodies:
                await body.begin()
        except ChangedError:
            return None
        if not bodies:
            return answer
        begun.append(bodies[0])
        now_mono = time.monotonic()  # the wait may have been long: it is said anew how old this is
        ttl_s = entry.ttl_s(now_mono)
        tier = bodies[0].tier
        if tier not in ("", ORIGIN):
            says = _from_tier(says, ttl_s, tier)
            return of_stored(entry, request, says, now_mono, open_body).says(says, tier)
        if says.ttl_s is not None:
            says = replace(says, ttl_s=ttl_s)
        return of_stored(entry, request, says, now_mono, open_body)

    async def holds(self, source: Source) -> bool:
        """Whether all that is missing for this request is in lower tiers, as far as it shows."""
        entry, request = source.entry, source.request
        for slice_no in missing(entry, request):
            wanted = Wanted(entry, request, slice_no)
            if not await has_slice(self.lower, wanted, self.in_force.policies):
                return False
        return True

    def close(self) -> None:
        """Let go of responses that wait for somebody to want more of them."""
        for stream in list(self.streams.values()):
            stream.close()
        self.streams.clear()

    async def take(self, entry: SlicedEntry, number: int, stream: SliceStream) -> None:
        """Bring a slice with a response that is here already."""
        fill = self.running[entry, number] = SliceFill(self.memory.spares.join)
        try:
            await stream.claim(number)
            await self._receive(entry, number, fill, stream)
        finally:
            self._end(entry, number, fill)

    def fill(self, source: Source, number: int) -> SliceFill:
        """The fill that brings a slice, begun if need be. Raises RefusedError."""
        running = self.running.get((source.entry, number))
        if running is not None:
            return running
        if len(self.tasks) >= self.limits.fills_max:
            raise RefusedError("fills-max")
        fill = self.running[source.entry, number] = SliceFill(self.memory.spares.join)
        self.tasks.start(self._run(source, number, fill))
        return fill

    async def _run(self, source: Source, number: int, fill: SliceFill) -> None:
        entry = source.entry
        wanted = Wanted(entry, source.request, number)
        try:
            found = await slice_of(self.lower, wanted, self.in_force.policies)
            if found is not None:
                fill.tier = found.tier
                self._append(fill, found.data)
                del found
                self._keep(entry, number, fill)
                return
            stream = await self._stream(source, number)
        except (UpstreamError, NotCachedError) as error:
            fill.fail(error)
        else:
            await self._receive(entry, number, fill, stream)
        finally:
            self._end(entry, number, fill)

    async def _stream(self, source: Source, number: int) -> SliceStream:
        """What brings a slice: a response that comes to it anyway, else a new one; claimed."""
        entry = source.entry
        coming = self.streams.get(entry)
        if coming is not None and coming.next == number and await coming.claim(number):
            return coming
        first, last = entry.span(number)
        stream = await self._ask(source, first, last)
        await stream.claim(number)
        try:
            await stream.skip_to(first)
        except BaseException:
            stream.close()
            raise
        return stream

    async def _ask(self, source: Source, first: int, last: int) -> SliceStream:
        """The answer that brings these bytes of the entry's representation, and no others.

        Or all of it: that is what somebody sends who has no ranges.
        """
        entry, request, policies = source.entry, source.request, self.in_force.policies
        fields = (*unconditional(request.fields), *rest_fields(entry.etag, first, last))
        request = replace(request, method=b"GET", fields=fields)
        sequence = source.sequence
        received = await self.asker.ask(entry.key, request, source.asked, sequence=sequence)
        head = received.head
        part = continues(head, entry.etag, first, entry.length)
        if head.status == 200:  # no ranges any more, or not for us
            self.unsliced.remember(entry.key, received.times.response_mono)
        brings = part is not None and (head.status == 200 or part.last == last)
        if brings and self._renewed(replace(source, request=request), received):
            assert part is not None
            return SliceStream(received, part.first, part.last)
        received.response.close()
        if head.status in SERVER_ERRORS:
            raise UpstreamError("slice-refused", f"status {head.status} to a range")
        self.memory.remove(entry)
        await forget(self.lower, Wanted(entry, request, first // SLICE_BYTES), policies)
        raise ChangedError("changed", "the origin has another representation by now")

    def _renewed(self, source: Source, received: Received) -> bool:
        """Whether parts are combined further, under the head of this one now (RFC 9111 §3.4)."""
        entry, head = source.entry, received.head
        whole = as_whole(head) if head.status == 206 else head
        assert whole is not None
        policies = self.in_force.policies
        renewed = renew(entry.stored, source.request, whole, received.times, policies)
        if renewed is None or renewed.why is not None:
            return False
        tags = (*entry.stored.tags, *renewed.stored.tags)
        if not self.memory.purged_since(source.sequence, entry.key, tags):
            fresh = replace(renewed.stored, purge_sequence=received.as_of(source.sequence))
            self.memory.freshen(entry, fresh)
        return True

    async def _receive(
        self, entry: SlicedEntry, number: int, fill: SliceFill, stream: SliceStream
    ) -> None:
        """Take a slice from a claimed stream; keep it when it is whole."""
        first, last = entry.span(number)
        received = stream.received
        if stream.has_more:
            self.streams[entry] = stream
        try:
            if entry.below:
                await self.lower.room()
            while left := last + 1 - first - fill.body.size:
                piece = await stream.read(left)
                received.count(self.counters, len(piece))
                self._append(fill, piece)
                del piece
            self._keep(entry, number, fill, second_hand=received.peer)
        except UpstreamError as error:
            stream.close()
            fill.fail(error)
        except BaseException:
            stream.close()
            raise
        finally:
            stream.park(partial(self._forget, entry, stream))
            if not stream.is_open:
                self._forget(entry, stream)

    def _forget(self, entry: SlicedEntry, stream: SliceStream) -> None:
        """Nobody wants more of a response, or there is no more."""
        stream.close()
        if self.streams.get(entry) is stream:
            del self.streams[entry]

    def _append(self, fill: SliceFill, piece: bytes) -> None:
        fill.reserved_bytes += len(piece)
        self.memory.reserve(len(piece))
        self.memory.watch(fill.body.append(piece))
        fill.tell()

    def _keep(
        self, entry: SlicedEntry, number: int, fill: SliceFill, *, second_hand: bool = False
    ) -> None:
        (data,) = fill.body.slices()
        self.memory.release(fill.reserved_bytes)
        fill.reserved_bytes = 0
        self.lower.offer_slice(entry, number, data, second_hand=second_hand)
        if self.memory.grow(entry, number, data, self._kept_max_bytes(entry)) and entry.is_complete:
            whole = entry.become_whole()
            self.memory.remove(entry)
            self.memory.store(whole)
            self.counters.stored += 1

    def _kept_max_bytes(self, entry: SlicedEntry) -> int:
        """How much of an entry memory keeps: little of what it cannot hold and others do."""
        most = min(self.limits.object_max_bytes, self.memory.budget_bytes // 2)
        if entry.length <= most or not entry.below:
            return most
        return min(most, max(_PASSING_MIN_BYTES, self.memory.budget_bytes // _PASSING_SHARE))

    def _end(self, entry: SlicedEntry, number: int, fill: SliceFill) -> None:
        if self.running.get((entry, number)) is fill:
            del self.running[entry, number]
        self.memory.release(fill.reserved_bytes)
        fill.reserved_bytes = 0
        if fill.error is None and entry.slice(number) is None:
            self.memory.watch(fill.body.held())  # readers may hold it for long
        fill.fail(UpstreamError("fill-ended", "this edge is shutting down"))


def _from_tier(says: CacheStatus, ttl_s: int, tier: str) -> CacheStatus:
    """What Cache-Status tells of slices that need not be forwarded for, after all."""
    if says.forward is None:
        return says
    if says.forward is Forward.STALE:
        return replace(says, detail=tier)
    return CacheStatus(ttl_s=ttl_s, detail=tier)


class SlicedBody:
    """Bytes of a sliced entry: from memory where they are there, else from their slice's fill."""

    def __init__(self, slicer: Slicer, source: Source, first: int, last: int) -> None:
        self._slicer = slicer
        self._source = source
        self._at = first
        self._last = last
        self.tier = ""  # that had what had to be asked for first; "" when it was all in memory
        self._begun: Piece = b""
        self._fill: tuple[int, SliceFill] | None = None

    async def begin(self) -> None:
        """Wait for the first bytes: what cannot be had is an error then, not a cut later."""
        self._begun = await self._next()
        if self._fill is not None:
            self.tier = self._fill[1].tier

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
        with suppress(RefusedError):  # it is asked for again when it is needed
            self._slicer.fill(self._source, number)
