"""What of memory is worth a place on disk, and how it gets there: one at a time, beside serving."""

import asyncio
import logging
from collections import Counter, deque
from functools import partial
from typing import Final, NamedTuple

from cache_policies.admission import AskedBefore
from cache_policies.freshness import fresh_until_mono
from cache_policies.stored import Stored, Times
from edge.counters import Counters
from edge.disk_files import stands, write
from edge.disk_format import HEAD_MAX_BYTES, DiskHead
from edge.disk_place import Place
from edge.disk_pool import DiskPool
from edge.entry import Entry
from edge.memory import Memory
from edge.residence import mark
from edge.tasks import Tasks

FRESH_MIN_S: Final = 10.0  # what is stale sooner is not worth a write,
CHECKED_MIN_BYTES: Final = 65_536  # unless it is this large and can be validated
QUEUE_MAX: Final = 256  # entries that wait to be written; further ones are not
CANDIDATES_MAX: Final = 8_192  # entries asked for once, until they are asked for again
HELD_SHARE: Final = 16  # of the memory budget, for what waits and memory does not hold
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


class Candidate(NamedTuple):
    """A response that was not asked for often enough yet."""

    key: bytes
    variant: bytes
    missing: int  # requests
    second_hand: bool


class Waiting(NamedTuple):
    """A response that will be written."""

    entry: Entry | None  # where memory does not hold it
    second_hand: bool


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
    ) -> None:
        self.pool = DiskPool(1, "disk-writer")
        self._place = place
        self._memory = memory
        self._counters = counters
        self._tasks = tasks
        self._asked = AskedBefore()
        self._queue: dict[tuple[bytes, bytes], Waiting] = {}  # by key and variant, in order
        self._held_bytes = 0  # by the queue alone
        self._candidates: deque[Candidate] = deque(maxlen=CANDIDATES_MAX)
        self._written: Counter[str] = Counter()  # bytes by shard, until they are reported
        self._is_writing = False
        self._paused_until_mono = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def offer(self, entry: Entry, *, after: int, second_hand: bool) -> None:
        """Consider an entry that memory has just stored or freshened."""
        if not is_worth_writing(entry.stored, entry.length, self._place.clocks().mono):
            return
        asked = self._asked.count(entry.key + b"\n" + entry.stored.variant)
        if asked >= after:
            self._enqueue(entry, second_hand=second_hand)
            return
        variant, missing = entry.stored.variant, after - asked
        self._candidates.append(Candidate(entry.key, variant, missing, second_hand))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK_EVERY_S, self.look)

    def look(self) -> None:
        """See which of the candidates were asked for again: a hit leaves a mark on them."""
        for _ in range(min(LOOKED_AT, len(self._candidates))):
            candidate = self._candidates.popleft()
            entry = self._memory.peek(candidate.key, candidate.variant)
            if entry is None:
                continue
            if entry.mark and candidate.missing <= 1:
                self._enqueue(entry, second_hand=candidate.second_hand)
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

    def _enqueue(self, entry: Entry, *, second_hand: bool) -> None:
        name = (entry.key, entry.stored.variant)
        if name in self._queue:
            return
        if len(self._queue) >= QUEUE_MAX or self._place.clocks().mono < self._paused_until_mono:
            self._counters.disk_writes_skipped += 1
            return
        held = None if self._memory.peek(*name) is entry else entry
        if held is not None:
            if self._held_bytes + held.length > self._memory.budget_bytes // HELD_SHARE:
                self._counters.disk_writes_skipped += 1
                return
            self._held_bytes += held.length
        self._queue[name] = Waiting(held, second_hand)
        if not self._is_writing:
            self._is_writing = True
            self._tasks.start(self._write_queue())

    async def _write_queue(self) -> None:
        try:
            while self._queue:
                name = next(iter(self._queue))
                held, second_hand = self._queue.pop(name)
                entry = held or self._memory.peek(*name)
                if entry is not None:
                    await self._write(entry, second_hand=second_hand)
                self._held_bytes -= 0 if held is None else held.length
                del held, entry  # the body may be gone from memory before the next is written
        finally:
            self._is_writing = False

    async def _write(self, entry: Entry, *, second_hand: bool) -> None:
        head = self._head(entry)
        if sum(len(name) + len(value) + 8 for name, value in head.fields) > _FIELDS_MAX_BYTES:
            return
        root, slices = self._place.root, list(entry.slices)
        try:
            if second_hand and await self.pool.run(partial(stands, root, head), limit_s=None):
                return
            written = await self.pool.run(partial(write, root, head, slices), limit_s=None)
        except OSError as error:
            self._counters.disk_failed += 1
            self._paused_until_mono = self._place.clocks().mono + PAUSE_S
            log.warning("not written to disk for %.0f s: %s", PAUSE_S, error)
            return
        self._counters.disk_writes += 1
        self._counters.disk_written_bytes += sum(written.values())
        self._written.update(written)

    def _head(self, entry: Entry) -> DiskHead:
        stored = entry.stored
        times = Times(
            response_wall=stored.response_wall,
            response_mono=stored.response_mono,
            response_delay_s=stored.response_delay_s,
        )
        came = mark(times, self._place.clocks())
        return DiskHead(
            key=entry.key,
            vary=stored.vary,
            variant=stored.variant,
            status=stored.status,
            fields=stored.fields,
            response_wall=came.wall,
            response_delay_s=came.delay_s,
            boot_id=came.boot_id,
            response_boot=came.boot_s,
            log_id=self._place.log_id,
            purge_sequence=stored.purge_sequence,
        )
