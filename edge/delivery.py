"""Answers: what a player gets of a response, and where its body is read from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import partial
from http import HTTPStatus
from math import inf
from typing import Final, Protocol, TypeAlias

from cache_policies.cache_status import CacheStatus, render
from cache_policies.message import Fields, RequestHead, ResponseHead
from cache_policies.ranges import UNSATISFIABLE, part_fields, requested_parts
from cache_policies.stored import Stored, parse_length
from cache_policies.validation import Evaluation, evaluate, not_modified_fields
from edge.arena import SLICE_BYTES
from edge.body import Piece
from edge.collapse import FillReader
from edge.entry import VIA, Entry, passed_fields, readers
from edge.errors import EdgeError, UpstreamError
from edge.fetch import Response
from edge.forwarding import HOP
from edge.heads import Facts
from edge.multipart import Multipart, Spans, multipart
from edge.outcome import NOWHERE, ORIGIN, OWN, Outcome, of_answer, refused
from edge.refusals import READABLE

BODILESS: Final = frozenset({204, 304})
_ABOUT: Final = frozenset({b"age", b"cache-status"})  # what each answer says anew

Watch: TypeAlias = Callable[[list[bytes]], None]


class Shape(Enum):
    """What of a stored response answers a request."""

    WHOLE = "whole"
    PART = "part"
    PARTS = "parts"
    NOT_MODIFIED = "not-modified"
    UNSATISFIABLE = "unsatisfiable"


@dataclass(frozen=True, slots=True)
class Plan:
    """A shape, and for parts their bytes, both ends inclusive."""

    shape: Shape
    first: int = 0
    last: int = -1
    spans: Spans = ()  # of several parts


WHOLE: Final = Plan(Shape.WHOLE)
NOT_MODIFIED: Final = Plan(Shape.NOT_MODIFIED)
OUT_OF_RANGE: Final = Plan(Shape.UNSATISFIABLE)


def plan(request: RequestHead, stored: Stored, length: int | None) -> Plan:
    """Decide what of a stored response, `length` bytes long where that is known, is the answer."""
    if evaluate(request, stored) is Evaluation.NOT_MODIFIED:
        return NOT_MODIFIED
    if length is None:
        return WHOLE
    wanted = requested_parts(request, stored, length)
    if wanted is None:
        return WHOLE
    if wanted is UNSATISFIABLE:
        return OUT_OF_RANGE
    return Plan(Shape.PART, *wanted[0]) if len(wanted) == 1 else Plan(Shape.PARTS, spans=wanted)


class Kept(Protocol):
    """What is asked of an entry to know how long an answer is."""

    @property
    def stored(self) -> Stored:
        """What it is of."""

    @property
    def length(self) -> int:
        """The bytes of its body."""


def sent_bytes(entry: Kept, facts: Facts) -> int:
    """How long the body is of what answers a plain request with an entry."""
    if facts.method == b"HEAD":
        return 0
    if not facts.selecting:
        return entry.length
    planned = plan(facts.request, entry.stored, entry.length)
    match planned.shape:
        case Shape.WHOLE:
            return entry.length
        case Shape.PART:
            return planned.last - planned.first + 1
        case Shape.PARTS:
            return multipart(planned.spans, entry.length, entry.stored.fields).length
    return 0


class Body(Protocol):
    """Where an answer's bytes come from."""

    async def read(self) -> Piece:
        """The next bytes, b"" at the true end; raises EdgeError when there is no true end."""

    def close(self) -> None:
        """Let go of it, read to the end or not."""


OpenBody: TypeAlias = Callable[[int, int], Body]  # of these bytes, both ends inclusive


class NoBody:
    """An answer without one."""

    async def read(self) -> Piece:
        """The end."""
        return b""

    def close(self) -> None:
        """Nothing to let go of."""


class StoredBody:
    """Bytes in memory."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._pieces = list(reversed(pieces))

    async def read(self) -> Piece:
        """The next piece."""
        return self._pieces.pop() if self._pieces else b""

    def close(self) -> None:
        """Drop what was not read."""
        self._pieces.clear()


class FillBody:
    """Bytes of a running fill: all of it, or a part as soon as its bytes are there."""

    def __init__(self, reader: FillReader, first: int = 0, last: int | None = None) -> None:
        self._reader = reader
        self._last = last
        reader.offset = first

    async def read(self) -> Piece:
        """The next bytes, waiting for them."""
        if self._last is None:
            return await self._reader.read()
        left = self._last + 1 - self._reader.offset
        if left <= 0:
            return b""
        piece = await self._reader.read()
        if not piece:
            raise UpstreamError("truncated", "the body ended before the range did")
        if len(piece) > left:
            self._reader.offset -= len(piece) - left
            return memoryview(piece)[:left]
        return piece

    def close(self) -> None:
        """Leave the fill."""
        self._reader.close()


class MultipartBody:
    """Several parts, one after the other, and what stands between them."""

    def __init__(self, around: Multipart, open_body: OpenBody) -> None:
        self._open = open_body
        self._left = list(zip(around.heads, around.spans, strict=True))
        self._head, span = self._left.pop(0)
        self._part = open_body(*span)
        self._end = around.end

    async def read(self) -> Piece:
        """The next bytes of a part, or what stands before it."""
        while True:
            if self._head:
                head, self._head = self._head, b""
                return head
            if piece := await self._part.read():
                return piece
            if not self._left:
                end, self._end = self._end, b""
                return end
            self._head, span = self._left.pop(0)
            self._part = self._open(*span)

    def close(self) -> None:
        """Let go of the part that was opened last; those before were read to their ends."""
        self._part.close()


class PassedBody:
    """Bytes of a response that is this player's alone."""

    def __init__(self, response: Response, watch: Watch) -> None:
        self._response = response
        self._watch = watch

    async def read(self) -> Piece:
        """The next piece, straight from the connection."""
        piece = await self._response.read()
        self._watch([piece])
        return piece

    def close(self) -> None:
        """Give the connection back, or cut it."""
        self._response.close()


@dataclass(slots=True)
class Answer:
    """A complete head but for its framing; `length` is None when the end shows only at the end."""

    status: int
    fields: Fields
    length: int | None = 0
    body: Body = field(default_factory=NoBody)
    stripped: frozenset[bytes] = frozenset()  # names of fields that players do not get
    tags: tuple[bytes, ...] | None = None  # that purge it; None where its fields tell
    outcome: Outcome = OWN
    sequence: int | None = None  # of the last purge known when it was fetched; None: just now

    def says(self, says: CacheStatus, tier: str) -> "Answer":
        """This answer, as metrics and logs tell of it."""
        self.outcome = of_answer(says, tier)
        return self


def lacks(entry: Entry, request: RequestHead) -> bool:
    """Whether the answer to `request` needs bytes of the entry that are not there."""
    planned = plan(request, entry.stored, entry.length)
    if planned.shape is Shape.PART:
        return not entry.has(planned.first, planned.last)
    if planned.shape is Shape.PARTS:
        return not all(entry.has(*span) for span in planned.spans)
    is_whole = planned.shape is Shape.WHOLE and request.method != b"HEAD"
    return is_whole and not entry.has(0, entry.length - 1)


def missing(entry: Entry, request: RequestHead) -> list[int]:
    """The numbers of the slices that the answer to `request` needs and that are not there."""
    planned = plan(request, entry.stored, entry.length)
    spans = planned.spans
    if planned.shape is Shape.PART:
        spans = ((planned.first, planned.last),)
    elif planned.shape is Shape.WHOLE:
        spans = ((0, entry.length - 1),)
    numbers = dict.fromkeys(
        number
        for first, last in spans
        for number in range(first // SLICE_BYTES, last // SLICE_BYTES + 1)
    )
    at = SLICE_BYTES
    return [number for number in numbers if not entry.has(number * at, number * at)]


def of_stored(
    entry: Entry,
    request: RequestHead,
    says: CacheStatus,
    now_mono: float,
    open_body: OpenBody | None = None,
) -> Answer:
    """The answer to `request` from memory, or from where `open_body` finds the bytes."""
    open_body = open_body or (lambda first, last: StoredBody(entry.pieces(first, last)))
    planned = plan(request, entry.stored, entry.length)
    about = _about(says, entry.age_s(now_mono))
    stored = entry.stored
    if planned.shape is not Shape.WHOLE:
        answer = _partial(planned, stored.fields, entry.length, about, open_body)
    else:
        body = NoBody() if request.method == b"HEAD" else open_body(0, entry.length - 1)
        answer = Answer(stored.status, _head(stored.fields, about), entry.length, body)
    answer.stripped, answer.tags = stored.stripped, stored.tags
    answer.sequence = stored.purge_sequence
    return answer.says(says, ORIGIN)


def of_fill(reader: FillReader, request: RequestHead, says: CacheStatus, age_s: int) -> Answer:
    """The answer to `request` from a fill whose response is being kept."""
    fill = reader.fill
    assert fill.stored is not None
    stored = fill.stored
    about = _about(says, age_s)
    planned = plan(request, stored, stored.length)
    if planned.spans != tuple(sorted(planned.spans)):
        planned = WHOLE  # a fill may have let go of what comes second
    if planned.shape is Shape.WHOLE:
        length = 0 if stored.status in BODILESS else stored.length
        fields = _head(reader.fields, about)
        whole = Answer(stored.status, fields, length, FillBody(reader), stored.stripped)
        whole.tags, whole.sequence = stored.tags, stored.purge_sequence
        return whole.says(says, fill.tier)
    assert stored.length is not None or planned.shape is Shape.NOT_MODIFIED
    open_body = partial(FillBody, reader)
    answer = _partial(planned, reader.fields, stored.length or 0, about, open_body)
    answer.stripped, answer.tags = stored.stripped, stored.tags
    answer.sequence = stored.purge_sequence
    if isinstance(answer.body, NoBody):
        reader.close()
    return answer.says(says, fill.tier)


def of_rendered(answer: Answer, request: RequestHead, data: bytes) -> Answer:
    """The answer to `request` where `data` is the whole body of what `answer` is the head of."""
    about = tuple(line for line in answer.fields if line[0] in _ABOUT)
    said_anew = (*about, (b"via", VIA))  # with each head
    fields = tuple(line for line in answer.fields if line not in said_anew)
    told = dict(fields)
    stored = Stored(
        status=answer.status,
        fields=fields,
        etag=told.get(b"etag"),
        last_modified=told.get(b"last-modified"),
        date_wall=inf,  # nobody has it from before
        age_s=0.0,
        response_wall=0.0,
        response_mono=0.0,
        response_delay_s=0.0,
        lifetime_s=0.0,
    )
    planned = plan(request, stored, len(data))

    def open_body(first: int, last: int) -> Body:
        return StoredBody([data[first : last + 1]])

    if planned.shape is Shape.WHOLE:
        body = NoBody() if request.method == b"HEAD" else open_body(0, len(data) - 1)
        return replace(answer, fields=_head(fields, about), length=len(data), body=body)
    part = _partial(planned, fields, len(data), about, open_body)
    return replace(
        answer, status=part.status, fields=part.fields, length=part.length, body=part.body
    )


def of_response(
    response: Response, head: ResponseHead, request: RequestHead, says: CacheStatus, watch: Watch
) -> Answer:
    """The answer that passes a response on, unstored; it owns the response from now on.

    `watch` is told of every piece: a slow player may hold it.
    """
    age: Fields = tuple(line for line in head.fields if line[0] == b"age")
    fields = (*passed_fields(head.fields), *age, (b"cache-status", render(says)))
    announced = parse_length(head) if request.method == b"HEAD" else response.length
    answer = Answer(head.status, fields, announced, PassedBody(response, watch))
    return answer.says(says, ORIGIN)


def of_error(error: EdgeError, says: CacheStatus) -> Answer:
    """The answer when there is no response to give: a small text, and the reason for a peer."""
    phrase = HTTPStatus(error.status).phrase
    text = f"{error.status} {phrase}: {error.detail}\n".encode()
    fields = (
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"cache-status", render(says)),
        (HOP, error.detail.encode()),
        *READABLE,
    )
    answer = Answer(error.status, fields, len(text), StoredBody([text])).says(says, NOWHERE)
    if error.retry_after_s is not None:
        answer.outcome = refused(error.detail)
    if error.retry_after_s is not None or error.status == 503:
        answer.fields = (*fields, (b"retry-after", b"%d" % (error.retry_after_s or 1)))
    return answer


def _partial(
    planned: Plan, fields: Fields, length: int, about: Fields, open_body: OpenBody
) -> Answer:
    if planned.shape is Shape.NOT_MODIFIED:
        return Answer(304, _head(not_modified_fields(fields), about))
    if planned.shape is Shape.UNSATISFIABLE:
        return Answer(
            416, _head(((b"content-range", b"bytes */%d" % length), *readers(fields)), about)
        )
    if planned.shape is Shape.PARTS:
        around = multipart(planned.spans, length, fields)
        said = _head(around.fields(fields), about)
        return Answer(206, said, around.length, MultipartBody(around, open_body))
    where = (b"content-range", b"bytes %d-%d/%d" % (planned.first, planned.last, length))
    said = _head(part_fields(fields), (where, *about))
    size = planned.last - planned.first + 1
    return Answer(206, said, size, open_body(planned.first, planned.last))


def _about(says: CacheStatus, age_s: int) -> Fields:
    return ((b"age", b"%d" % age_s), (b"cache-status", render(says)))


def _head(fields: Fields, about: Fields) -> Fields:
    return (*passed_fields(fields), *about)
