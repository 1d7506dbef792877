"""Running fills: one fetch of a storable response, shared from byte 0 by all who ask meanwhile."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from enum import Enum
from typing import Final

from cache_policies.cache_status import CacheStatus
from cache_policies.freshness import current_age_s, fresh_until_mono
from cache_policies.message import Fields, RequestHead, ResponseHead
from cache_policies.stored import Stored
from cache_policies.vary import variant_key
from edge.body import GrowingBody, Piece
from edge.entry import Entry
from edge.errors import EdgeError
from edge.fetch import Response
from edge.missing import NOTHING_STORED, Miss, of_miss
from edge.outcome import ORIGIN
from edge.purge_names import touches
from edge.purges import Purge
from edge.rounds import Rounds
from edge.sayings import Saying, say

WINDOW_BYTES: Final = 262_144  # ahead of the slowest reader, once a body is not kept whole


class Phase(Enum):
    """How far a fill is. Each names its successors in `NEXT`."""

    ASKED = "asked"  # no head yet
    KEPT = "kept"  # it may be stored: everybody shares it
    RELEASED = "released"  # it may not: it is its leader's alone
    VALIDATED = "validated"  # 304: the stale entry is fresh again
    SLICED = "sliced"  # a part came: what is stored answers now, slice by slice
    COMPLETE = "complete"
    FAILED = "failed"


NEXT: Final = {
    Phase.ASKED: {
        *(Phase.KEPT, Phase.RELEASED, Phase.VALIDATED),
        *(Phase.SLICED, Phase.FAILED),
    },
    Phase.KEPT: {Phase.COMPLETE, Phase.FAILED},
    Phase.RELEASED: set[Phase](),
    Phase.VALIDATED: set[Phase](),
    Phase.SLICED: set[Phase](),
    Phase.COMPLETE: set[Phase](),
    Phase.FAILED: set[Phase](),
}


class Fill:
    """One fetch. Its runner appends, its readers follow; all of them live on one loop."""

    def __init__(
        self,
        key: bytes,
        variant: bytes,
        request: RequestHead,
        *,
        sequence: int,
        stale: Entry | None,
    ) -> None:
        self.key = key
        self.variant = variant
        self.request = request  # of the leader
        self.sequence = sequence  # the last purge applied when it began
        self.stale = stale  # what it revalidates
        self.slice_no: int | None = None  # it asks for this slice only, None: for the whole
        self.phase = Phase.ASKED
        self.head: ResponseHead | None = None
        self.stored: Stored | None = None
        self.response: Response | None = None  # the leader's to read, once released
        self.error: EdgeError | None = None
        self.detail = ""  # why it was released
        self.tier = ORIGIN  # or what gave it the response instead
        self.comes_after: int | None = None  # the last purge before it, if another says so
        self.body = GrowingBody()
        self.reserved_bytes = 0  # of the memory budget
        self.outdated = False  # a purge names what it fetches: it is not stored
        self.exclusive = False  # it may be stored, yet answers only its leader
        self.has_ended = False  # nothing is appended any more
        self.in_memory = False  # its body is an entry's
        self.windowed = False  # too large to keep whole: it waits for its slowest reader
        self.readers: set[FillReader] = set()
        self.leader: FillReader | None = None
        self.held: CacheStatus | None = None  # what a lower tier's response is, if it is one
        self.sayings: dict[tuple[Miss, bool, bool], Saying] = {}  # what its followers are told
        self.rounds = Rounds()  # by which those hear of it
        self._news: list[asyncio.Future[None]] = []

    @property
    def tags(self) -> tuple[bytes, ...]:
        """The purge tags of what it brings, as far as they are known."""
        if self.stored is not None:
            return self.stored.tags
        return self.stale.stored.tags if self.stale is not None else ()

    @property
    def withholds(self) -> bool:
        """Whether its leader may see fields that nobody else may (RFC 9111 §5.2.2.7)."""
        assert self.stored is not None
        assert self.head is not None
        return len(self.stored.fields) != len(self.head.fields)

    def answers(self, reader: "FillReader", request: RequestHead) -> bool:
        """Whether what is being kept may answer this reader's request too."""
        if reader is self.leader:
            return True
        stored = self.stored
        if stored is None or self.exclusive:
            return False
        if self.held is not None and request.get(b"cache-control") is not None:
            return False  # it may ask for more than what was merely held
        return variant_key(stored.vary, request.fields) == stored.variant

    def is_joinable(self, now_mono: float) -> bool:
        """Whether a request that comes now may share it from byte 0."""
        if self.exclusive or self.windowed or self.phase not in (Phase.ASKED, Phase.KEPT):
            return False
        return self.stored is None or now_mono < fresh_until_mono(self.stored)

    def age_s(self, now_mono: float) -> int:
        """The value of Age for the response that is being kept."""
        assert self.stored is not None
        return max(0, int(current_age_s(self.stored, now_mono)))

    def ttl_s(self, now_mono: float) -> int:
        """Seconds of freshness left to the response that is being kept."""
        assert self.stored is not None
        return int((fresh_until_mono(self.stored) - now_mono) // 1)

    def saying(self, miss: Miss, now_mono: float, *, leads: bool) -> Saying:
        """What one of its followers is told, whose request missed for that reason."""
        stored = self.stored
        assert stored is not None
        known = miss, leads, self.windowed
        saying = self.sayings.get(known)
        if saying is None or now_mono >= saying.until_mono:
            says = self.says(of_miss(miss, stored.status), now_mono, leads=leads)
            saying = self.sayings[known] = say(stored, says, self.tier, now_mono)
        return saying

    def says(self, missed: CacheStatus, now_mono: float, *, leads: bool) -> CacheStatus:
        """What Cache-Status tells one of its readers, whose request `missed` in that way."""
        return replace(
            self.held or missed,
            collapsed=not leads,
            stored=not self.windowed,
            ttl_s=self.ttl_s(now_mono),
        )

    # the runner's side

    def enter(self, phase: Phase) -> None:
        """Move on and tell everybody."""
        assert phase in NEXT[self.phase], f"{self.phase} never becomes {phase}"
        self.phase = phase
        self._tell()

    def fail(self, error: EdgeError) -> None:
        """End without success, unless it has ended already."""
        if Phase.FAILED in NEXT[self.phase]:
            self.error = error.again()  # without the traceback, whose frames hold this fill
            self.enter(Phase.FAILED)

    def append(self, piece: bytes) -> list[bytes]:
        """Add bytes of the body; return the pieces that this made part of slices."""
        joined = self.body.append(piece)
        self._tell()
        return joined

    def leave_body(self) -> list[bytes]:
        """Let go of the body, if nobody reads it: the collector of cycles may never come by.

        Returns what it consists of.
        """
        held = self.body.held()
        if not self.readers:
            self.body = GrowingBody()
        return held

    def slowest(self) -> int:
        """The offset up to which every reader has read."""
        return min((reader.offset for reader in self.readers), default=self.body.size)

    async def news(self) -> None:
        """Wait until something about this fill has changed."""
        future = asyncio.get_running_loop().create_future()
        self._news.append(future)
        try:
            await future
        finally:
            if future in self._news:  # nobody waits for it any more
                self._news.remove(future)

    def moved(self) -> None:
        """A reader went on, or away: the runner may wait for that."""
        if self.windowed:
            self._tell()

    def _tell(self) -> None:
        waiting, self._news = self._news, []
        for future in waiting:
            if not future.done():
                future.set_result(None)
        self.rounds.tell(rests=self.body.size > 0)


class FillReader:
    """One request's place in a fill; close it when done."""

    __slots__ = ("fill", "miss", "offset", "sequence")

    def __init__(
        self, fill: Fill, sequence: int, *, leads: bool = False, miss: Miss = NOTHING_STORED
    ) -> None:
        self.fill = fill
        self.sequence = sequence  # the last purge applied when it asked
        self.miss = miss  # why it asked
        self.offset = 0
        fill.readers.add(self)
        if leads:
            fill.leader = self

    @property
    def fields(self) -> Fields:
        """What it may see of the response's: the leader all, others not what is withheld."""
        fill = self.fill
        assert fill.stored is not None
        assert fill.head is not None
        return fill.head.fields if fill.leader is self else fill.stored.fields

    async def head(self) -> Phase:
        """The phase once the head, or its absence, is known."""
        while self.fill.phase is Phase.ASKED:
            await self.fill.news()
        return self.fill.phase

    async def read(self) -> Piece:
        """The next bytes, b"" at the true end. Raises what broke the fill."""
        fill = self.fill
        while True:
            piece = fill.body.read(self.offset)
            if piece:
                self.offset += len(piece)
                fill.moved()
                return piece
            if fill.phase is Phase.COMPLETE:
                return b""
            if fill.error is not None:
                raise fill.error.again()
            await fill.news()

    def take_response(self) -> Response | None:
        """The response that the fill released to its leader, whose business it is from now on."""
        response, self.fill.response = self.fill.response, None
        return response

    def close(self) -> None:
        """Leave; a fill that nobody reads may stop."""
        fill = self.fill
        fill.readers.discard(self)
        if fill.leader is self:
            fill.leader = None
            if (response := self.take_response()) is not None:
                response.close()
        fill.moved()
        if fill.has_ended:
            fill.leave_body()


class Fills:
    """The fills that may be joined, by key and variant."""

    def __init__(self) -> None:
        self.waiting = 0  # requests that wait for a head
        self.noticed: Callable[[bytes], None] = _unheard  # of keys that players miss
        self._running: dict[tuple[bytes, bytes], Fill] = {}
        self._vary: dict[bytes, tuple[bytes, ...]] = {}

    def __len__(self) -> int:
        return len(self._running)

    def __iter__(self) -> Iterator[Fill]:
        return iter(self._running.values())

    def find(self, key: bytes, variant: bytes, now_mono: float) -> Fill | None:
        """The fill that a request for this may join: of its variant, or of one not known yet."""
        for asked in (variant, b""):
            fill = self._running.get((key, asked))
            if fill is None or not fill.is_joinable(now_mono):
                continue
            if asked == variant or fill.stored is None:
                return fill
        return None

    def add(self, fill: Fill) -> None:
        """Let others join."""
        self._running[fill.key, fill.variant] = fill

    def vary(self, key: bytes) -> tuple[bytes, ...]:
        """The selecting field names that a running fill of `key` has shown."""
        return self._vary.get(key, ())

    def settle(self, fill: Fill) -> None:
        """Its head is here: those who ask for another variant from now on do not join it."""
        if fill.stored is None or self._running.get((fill.key, fill.variant)) is not fill:
            return
        if fill.stored.vary:
            self._vary[fill.key] = fill.stored.vary
        self.discard(fill)
        fill.variant = fill.stored.variant
        self._running.setdefault((fill.key, fill.variant), fill)

    def discard(self, fill: Fill) -> None:
        """Let nobody join any more."""
        if self._running.get((fill.key, fill.variant)) is fill:
            del self._running[fill.key, fill.variant]

    def forget_vary(self, key: bytes) -> None:
        """A fill of `key` has ended: after the last one, memory alone knows how it varies."""
        if key in self._vary and not any(running == key for running, _ in self._running):
            del self._vary[key]

    def close_all(self) -> None:
        """Let nobody join those that run: they were begun under other policies."""
        self._running.clear()

    def apply(self, purge: Purge) -> None:
        """Let nobody join a fill from before a purge that names what it fetches.

        A tag may name it too once the head is here: `FillReader.sequence` serves to see that then.
        """
        for fill in list(self._running.values()):
            if touches(purge, fill.key, fill.tags):
                fill.outdated = True
                self.discard(fill)


def _unheard(_key: bytes) -> None:
    """Nobody fetches ahead."""


def personal(key: bytes) -> bytes:
    """What `Uncacheable` knows `key` by when it is asked for with credentials."""
    return b"authorization " + key


class Uncacheable:
    """Keys whose last response could not be stored: their requests do not wait for each other.

    Their hashes are kept: keys may be long, and no budget counts these.
    """

    def __init__(self, keys_max: int, lifetime_s: float) -> None:
        self._keys_max = keys_max
        self._lifetime_s = lifetime_s
        self._until: dict[int, float] = {}  # by hash, in order of remembering

    def remember(self, key: bytes, now_mono: float) -> None:
        """Do not collapse `key` for a while."""
        self._until.pop(hash(key), None)
        self._until[hash(key)] = now_mono + self._lifetime_s
        while len(self._until) > self._keys_max:
            del self._until[next(iter(self._until))]

    def clear(self) -> None:
        """Other policies are in force: everything may be."""
        self._until.clear()

    def forget(self, key: bytes) -> None:
        """A response for `key` was stored after all."""
        self._until.pop(hash(key), None)

    def __contains__(self, asked: tuple[bytes, float]) -> bool:
        key, now_mono = asked
        until = self._until.get(hash(key))
        if until is None:
            return False
        if now_mono < until:
            return True
        del self._until[hash(key)]
        return False
