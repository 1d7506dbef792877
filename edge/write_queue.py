"""What of memory is worth a place in a lower tier, and how it gets there: one at a time, beside
serving."""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from cache_policies.admission import AskedBefore
from cache_policies.freshness import fresh_until_mono
from cache_policies.stored import Stored
from edge.arena import SLICE_BYTES, Slice
from edge.clocks import Clocks
from edge.counters import Counters
from edge.entry import Entry
from edge.errors import StorageError
from edge.memory import Memory
from edge.record import LENGTH_MAX_BYTES, SLICED, WHOLE, RecordHead
from edge.recording import head_of, is_too_large
from edge.region_places import Places
from edge.sliced import SlicedEntry
from edge.tasks import Tasks

FRESH_MIN_S: Final = 10.0  # what is stale sooner is not worth a write,
CHECKED_MIN_BYTES: Final = 65_536  # unless it is this large and can be validated
QUEUE_MAX: Final = 256  # entries and slices that wait to be written; further ones are not
CANDIDATES_MAX: Final = 8_192  # entries asked for once, until they are asked for again
HELD_SHARE: Final = 16  # of the memory budget, for what waits and memory does not hold,
HELD_MIN_BYTES: Final = 2 * SLICE_BYTES  # or this much
LOOK_EVERY_S: Final = 1.0
LOOKED_AT: Final = 1_024  # candidates at a time
PAUSE_S: Final = 5.0  # after a write that failed: there may be no room

log = logging.getLogger("edge.tiers")


def is_worth_writing(stored: Stored, length: int, now_mono: float) -> bool:
    """Whether a copy is likely to answer anything, or to save a large body."""
    if not stored.no_cache and fresh_until_mono(stored) - now_mono >= FRESH_MIN_S:
        return True
    checkable = stored.etag is not None or stored.last_modified is not None
    return checkable and length >= CHECKED_MIN_BYTES


class Bounds(NamedTuple):
    """What is too much for a tier."""

    object_max_bytes: int = LENGTH_MAX_BYTES  # of a body
    wait_s: float = 0.05  # that a slice still to be fetched waits for those that are to be written


class Candidate(NamedTuple):
    """A response that was not asked for often enough yet."""

    key: bytes
    variant: bytes
    missing: int  # requests
    own: int  # marks that are of the request which had it fetched
    second_hand: bool


class Name(NamedTuple):
    """What will be written: a whole response, the head of one in slices, or one of these."""

    key: bytes
    variant: bytes
    part: int  # as in `RecordHead`


class Waiting(NamedTuple):
    """Where it is until then."""

    entry: Entry | None  # None: memory holds it
    data: Slice  # of a slice
    second_hand: bool

    @property
    def held_bytes(self) -> int:
        """What is kept for this alone."""
        if isinstance(self.entry, SlicedEntry):
            return len(self.data)
        return 0 if self.entry is None else self.entry.length


class Given(NamedTuple):
    """A record to write."""

    head: RecordHead
    slices: Sequence[Slice]
    stored: Stored
    second_hand: bool  # another worker may have written it


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """What a worker's writer to one tier has to do with."""

    tier: str  # its name
    places: Places  # where entries' sequences are in the log of purges
    clocks: Clocks
    memory: Memory
    counters: Counters
    tasks: Tasks
    bounds: Bounds


class WriteQueue:
    """Has entries written once they were asked for often enough; where to, its subclasses know.

    It remembers the names of what memory holds: what memory drops before its turn is not written.
    """

    def __init__(self, writing: Writing) -> None:
        self.bounds = writing.bounds
        self._tier = writing.tier
        self._places = writing.places
        self._clocks = writing.clocks
        self._memory = writing.memory
        self._counters = writing.counters
        self._tasks = writing.tasks
        self._asked = AskedBefore()
        self._queue: dict[Name, Waiting] = {}  # in order
        self._held_bytes = 0  # by the queue alone
        self._candidates: deque[Candidate] = deque(maxlen=CANDIDATES_MAX)
        self._is_writing = False
        self._room: list[asyncio.Future[None]] = []  # who waits for some
        self._is_slow = False  # nobody waits until something was written
        self._paused_until_mono = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def asked(self, key: bytes, variant: bytes) -> int:
        """Note a request for a response; return how many there were lately."""
        return self._asked.count(key + b"\n" + variant)

    def offer(self, entry: Entry, *, after: int, second_hand: bool) -> None:
        """Consider an entry that memory has just stored or freshened."""
        if not is_worth_writing(entry.stored, entry.length, self._clocks().mono):
            return
        if isinstance(entry, SlicedEntry) and self._tier in entry.below:
            self._admit(entry, second_hand=second_hand)
            return
        asked = self.asked(entry.key, entry.variant)
        if asked >= after:
            self._admit(entry, second_hand=second_hand)
            return
        own = int(isinstance(entry, SlicedEntry))  # who has slices fetched finds them, too
        candidate = Candidate(entry.key, entry.variant, after - asked, own, second_hand)
        self._candidates.append(candidate)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK_EVERY_S, self.look)

    def offer_slice(
        self, entry: SlicedEntry, slice_no: int, data: Slice, *, second_hand: bool
    ) -> None:
        """Have a slice written that has just come, if its entry was asked for often enough."""
        given = entry.below.get(self._tier)
        if given is None or slice_no in given:
            return
        if SLICED in given or self._give(entry, SLICED, b"", second_hand):
            self._give(entry, slice_no, data, second_hand)

    async def room(self) -> None:
        """Wait until one slice more may wait here, unless that takes too long."""
        if self._held_bytes + SLICE_BYTES <= self._held_max_bytes or self._is_slow:
            return
        future = asyncio.get_running_loop().create_future()
        self._room.append(future)
        try:
            async with asyncio.timeout(self.bounds.wait_s):
                await future
        except TimeoutError:
            self._is_slow = True

    def look(self) -> None:
        """See which of the candidates were asked for again: a hit leaves a mark on them."""
        for _ in range(min(LOOKED_AT, len(self._candidates))):
            candidate = self._candidates.popleft()
            entry = self._memory.peek(candidate.key, candidate.variant)
            if entry is None:
                continue
            if entry.mark > candidate.own and candidate.missing <= 1:
                self._admit(entry, second_hand=candidate.second_hand)
            else:
                self._candidates.append(candidate)
        self._timer = None
        if self._candidates:
            self._timer = asyncio.get_running_loop().call_later(LOOK_EVERY_S, self.look)

    def close(self) -> None:
        """Write nothing more."""
        self._queue.clear()
        self._candidates.clear()
        if self._timer is not None:
            self._timer.cancel()

    async def keep(self, given: Given) -> bool:
        """Write a record, with the slices of it that are here, and count it; say whether it is
        there now.

        Raises StorageError when nothing more is to be tried for a while.
        """
        raise NotImplementedError

    def _admit(self, entry: Entry, *, second_hand: bool) -> None:
        """Have an entry written; of one in slices the head, and those slices that are here."""
        if not isinstance(entry, SlicedEntry):
            held = self._memory.peek(entry.key, entry.variant) is entry
            waiting = Waiting(None if held else entry, b"", second_hand)
            self._enqueue(Name(entry.key, entry.variant, WHOLE), waiting)
            return
        entry.below.setdefault(self._tier, set())
        if self._give(entry, SLICED, b"", second_hand):
            for slice_no, data in entry.parts.items():
                self.offer_slice(entry, slice_no, data, second_hand=second_hand)

    def _give(self, entry: SlicedEntry, part: int, data: Slice, second_hand: bool) -> bool:
        name = Name(entry.key, entry.variant, part)
        given = self._enqueue(name, Waiting(entry, data, second_hand))
        if given:
            entry.below[self._tier].add(part)
        return given

    def _enqueue(self, name: Name, waiting: Waiting) -> bool:
        if name in self._queue:
            return True
        held_bytes = self._held_bytes + waiting.held_bytes
        if (
            len(self._queue) >= QUEUE_MAX
            or held_bytes > self._held_max_bytes
            or self._clocks().mono < self._paused_until_mono
        ):
            self._counters.of_tier(self._tier, "writes_skipped")
            return False
        self._held_bytes = held_bytes
        self._queue[name] = waiting
        if not self._is_writing:
            self._is_writing = True
            self._tasks.start(self._write_queue())
        return True

    @property
    def _held_max_bytes(self) -> int:
        return max(HELD_MIN_BYTES, self._memory.budget_bytes // HELD_SHARE)

    def _tell(self) -> None:
        """One more is written."""
        self._is_slow = False
        waiting, self._room = self._room, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def _write_queue(self) -> None:
        try:
            while self._queue:
                name = next(iter(self._queue))
                waiting = self._queue.pop(name)
                entry = waiting.entry or self._memory.peek(name.key, name.variant)
                if entry is not None and isinstance(entry, SlicedEntry) is (name.part != WHOLE):
                    await self._write(name, entry, waiting)
                self._held_bytes -= waiting.held_bytes
                self._tell()
                del waiting, entry  # the body may be gone from memory before the next is written
        finally:
            self._is_writing = False

    async def _write(self, name: Name, entry: Entry, waiting: Waiting) -> None:
        log_id = self._places.log_id
        number = self._places.number_of(entry.stored.purge_sequence)
        if log_id is None or number is None:  # nobody could tell what it comes after
            self._counters.of_tier(self._tier, "writes_skipped")
            return
        head = head_of(entry, name.part, log_id=log_id, number=number, now=self._clocks())
        if is_too_large(head):
            return
        slices = [waiting.data] if name.part >= 0 else list(entry.slices)
        given = Given(head, slices, entry.stored, waiting.second_hand)
        try:
            is_there = await self.keep(given)
        except StorageError as error:
            is_there = False
            self._counters.of_tier(self._tier, "failed")
            self._paused_until_mono = self._clocks().mono + PAUSE_S
            log.warning("nothing more goes to %s for %.0f s: %s", self._tier, PAUSE_S, error)
        if not is_there and isinstance(entry, SlicedEntry) and self._tier in entry.below:
            entry.below[self._tier].discard(name.part)
