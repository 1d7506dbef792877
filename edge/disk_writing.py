"""What of memory is worth a place on disk, and how it gets there: one at a time, beside serving."""

import asyncio
import logging
from collections import Counter, deque
from functools import partial
from typing import Final, NamedTuple

from cache_policies.admission import AskedBefore
from cache_policies.freshness import fresh_until_mono
from cache_policies.stored import Stored, Times
from edge.arena import SLICE_BYTES, Slice
from edge.counters import Counters
from edge.disk_files import stands, write
from edge.disk_place import Place
from edge.disk_pool import DiskPool
from edge.entry import Entry
from edge.memory import Memory
from edge.record import HEAD_MAX_BYTES, LENGTH_MAX_BYTES, SLICED, WHOLE, RecordHead
from edge.residence import mark
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
PAUSE_S: Final = 5.0  # after a write that failed: the disk may be full
_FIELDS_MAX_BYTES: Final = HEAD_MAX_BYTES // 4

log = logging.getLogger("edge.disk")


def is_worth_writing(stored: Stored, length: int, now_mono: float) -> bool:
    """Whether a copy on disk is likely to answer anything, or to save a large body."""
    if not stored.no_cache and fresh_until_mono(stored) - now_mono >= FRESH_MIN_S:
        return True
    checkable = stored.etag is not None or stored.last_modified is not None
    return checkable and length >= CHECKED_MIN_BYTES


class Bounds(NamedTuple):
    """What is too much for the disk."""

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


class DiskWriter:
    """Writes entries to disk once they were asked for often enough.

    It remembers the names of what memory holds: what memory drops before its turn is not written.
    """

    def __init__(
        self,
        place: Place,
        *,
        memory: Memory,
        counters: Counters,
        tasks: Tasks,
        bounds: Bounds = Bounds(),  # noqa: B008 it is immutable
    ) -> None:
        self.bounds = bounds
        self.pool = DiskPool(1, "disk-writer")
        self._place = place
        self._memory = memory
        self._counters = counters
        self._tasks = tasks
        self._asked = AskedBefore()
        self._queue: dict[Name, Waiting] = {}  # in order
        self._held_bytes = 0  # by the queue alone
        self._candidates: deque[Candidate] = deque(maxlen=CANDIDATES_MAX)
        self._written: Counter[str] = Counter()  # bytes by shard, until they are reported
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
        if not is_worth_writing(entry.stored, entry.length, self._place.clocks().mono):
            return
        if isinstance(entry, SlicedEntry) and entry.below is not None:
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
        if entry.below is None or slice_no in entry.below:
            return
        if SLICED in entry.below or self._give(entry, SLICED, b"", second_hand):
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

    def reported(self) -> dict[str, int]:
        """The bytes written by shard since this was last asked."""
        written, self._written = self._written, Counter()
        return dict(written)

    def close(self) -> None:
        """Write nothing more."""
        self._queue.clear()
        self._candidates.clear()
        if self._timer is not None:
            self._timer.cancel()
        self.pool.close()

    def _admit(self, entry: Entry, *, second_hand: bool) -> None:
        """Have an entry written; of one in slices the head, and those slices that are here."""
        if not isinstance(entry, SlicedEntry):
            held = self._memory.peek(entry.key, entry.variant) is entry
            waiting = Waiting(None if held else entry, b"", second_hand)
            self._enqueue(Name(entry.key, entry.variant, WHOLE), waiting)
            return
        entry.below = set() if entry.below is None else entry.below
        if self._give(entry, SLICED, b"", second_hand):
            for slice_no, data in entry.parts.items():
                self.offer_slice(entry, slice_no, data, second_hand=second_hand)

    def _give(self, entry: SlicedEntry, part: int, data: Slice, second_hand: bool) -> bool:
        assert entry.below is not None
        name = Name(entry.key, entry.variant, part)
        given = self._enqueue(name, Waiting(entry, data, second_hand))
        if given:
            entry.below.add(part)
        return given

    def _enqueue(self, name: Name, waiting: Waiting) -> bool:
        if name in self._queue:
            return True
        held_bytes = self._held_bytes + waiting.held_bytes
        if (
            len(self._queue) >= QUEUE_MAX
            or held_bytes > self._held_max_bytes
            or self._place.clocks().mono < self._paused_until_mono
        ):
            self._counters.disk_writes_skipped += 1
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
        head = self._head(entry, name.part)
        fields_bytes = sum(len(name) + len(value) + 8 for name, value in head.fields)
        if fields_bytes + sum(map(len, head.tags)) > _FIELDS_MAX_BYTES:
            return
        root = self._place.root
        slices = [waiting.data] if name.part >= 0 else list(entry.slices)
        try:
            if waiting.second_hand and await self.pool.run(
                partial(stands, root, head), limit_s=None
            ):
                return
            written = await self.pool.run(partial(write, root, head, slices), limit_s=None)
        except OSError as error:
            if isinstance(entry, SlicedEntry) and entry.below is not None:
                entry.below.discard(name.part)
            self._counters.disk_failed += 1
            self._paused_until_mono = self._place.clocks().mono + PAUSE_S
            log.warning("not written to disk for %.0f s: %s", PAUSE_S, error)
            return
        self._counters.disk_writes += bool(written)
        self._counters.disk_written_bytes += sum(written.values())
        self._written.update(written)

    def _head(self, entry: Entry, part: int) -> RecordHead:
        stored = entry.stored
        times = Times(
            response_wall=stored.response_wall,
            response_mono=stored.response_mono,
            response_delay_s=stored.response_delay_s,
        )
        came = mark(times, self._place.clocks())
        return RecordHead(
            key=entry.key,
            vary=stored.vary,
            variant=stored.variant,
            tags=stored.tags,
            status=stored.status,
            fields=stored.fields,
            response_wall=came.wall,
            response_delay_s=came.delay_s,
            boot_id=came.boot_id,
            response_boot=came.boot_s,
            log_id=self._place.log_id,
            purge_sequence=stored.purge_sequence,
            length=entry.length,
            part=part,
        )
