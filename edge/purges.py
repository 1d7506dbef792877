"""The page that a node's processes share: one writer appends purges, every worker follows them.

The same word that tells of purges tells of a switch of policies: a hit compares it once for both.

The page is a memory-mapped anonymous file. Its words are aligned and written whole, so a word never
tears; nothing orders one store against the next, so every record carries its sequence number and a
checksum over all of itself. A reader that meets a record which is not the one it looks for
(overwritten, torn, or not visible yet) drops all it holds: always right, and so rare that it may be
dear.
"""

from __future__ import annotations

import enum
import mmap
import os
import struct
import tempfile
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from edge.region_places import LOG_ID_BYTES, RegionPoint

VALUE_MAX_BYTES: Final = 16 * 1024
DETACHED: Final = 2**64 - 1  # a slot's word while no worker holds it: it waits for nothing

_MAGIC: Final = 0x416D61726F500002  # "AmaroP", layout 2
_POLICY, _EPOCH, _SLOTS = 4, 8, 16  # indices of words: slots lie 8 words, a cache line, apart
_SLOT_WORDS: Final = 8
# sequence, start in the ring, a point (number, counts_as, until, log), length, kind, soft
_RECORD_BODY = struct.Struct("=QQQQQ8sIBB")
_RECORD = struct.Struct("=QQQQQ8sIBBxxI4x")  # and a checksum
_NO_LOG: Final = bytes(LOG_ID_BYTES)
_SEQUENCE_BITS: Final = 48  # of the epoch word; those above count switches of policies
_SEQUENCE: Final = (1 << _SEQUENCE_BITS) - 1
_ATTEMPTS: Final = 64  # reads of a record that is not visible yet; a store takes well below one


class PurgeKind(enum.IntEnum):
    """What a purge names. The values are part of the page's layout."""

    URL = 1  # one resource, all its variants
    TAG = 2  # everything whose Surrogate-Key holds the value
    PREFIX = 3  # every URL that begins with the value
    ALL = 4  # everything; the value is empty


@dataclass(frozen=True, slots=True, kw_only=True)
class Purge:
    """One purge. A fill that began at a sequence below this one is touched by it.

    For URL and PREFIX `value` is absolute (`http://host/path`) or, for any host, a path (`/path`);
    for TAG it is the tag.
    """

    sequence: int
    kind: PurgeKind
    value: bytes = b""
    soft: bool = False  # stale from now on, instead of gone
    point: RegionPoint | None = None  # that it reaches in a region's log


class PurgePage:
    """The shared page: `publish` in the supervisor, `since` and `acknowledge` in the workers."""

    def __init__(self, fd: int, *, workers: int, records: int, ring_bytes: int) -> None:
        """Map `fd`, which this page now owns; the sizes must be those it was created with."""
        self.fd = fd
        self.workers = workers
        self._records = records
        self._ring_bytes = ring_bytes
        self._records_at = 8 * (_SLOTS + _SLOT_WORDS * workers)
        self._ring_at = self._records_at + records * _RECORD.size
        self._map = mmap.mmap(fd, self._ring_at + ring_bytes)
        self._words = memoryview(self._map).cast("Q")
        self._ring_next = 0  # the writer's own: bytes ever written to the ring

    @classmethod
    def create(
        cls,
        *,
        workers: int,
        sequence: int = 0,
        policy_epoch: int = 0,
        records: int = 4096,
        ring_bytes: int = 1 << 20,
    ) -> PurgePage:
        """Return a new page whose last purge was `sequence`, with every slot detached."""
        if ring_bytes < VALUE_MAX_BYTES or ring_bytes % 8:
            raise ValueError(f"ring_bytes is a multiple of 8, at least {VALUE_MAX_BYTES}")
        size = 8 * (_SLOTS + _SLOT_WORDS * workers) + records * _RECORD.size + ring_bytes
        fd = _anonymous_file()
        os.ftruncate(fd, size)
        page = cls(fd, workers=workers, records=records, ring_bytes=ring_bytes)
        words = page._words
        words[0], words[1], words[2], words[3] = _MAGIC, workers, records, ring_bytes
        for worker_no in range(workers):
            page.detach(worker_no)
        words[_POLICY] = policy_epoch
        words[_EPOCH] = sequence
        return page

    @classmethod
    def open(cls, fd: int) -> PurgePage:
        """Return the page behind an inherited descriptor, which it owns from now on."""
        magic, workers, records, ring_bytes = struct.unpack("=4Q", os.pread(fd, 32, 0))
        if magic != _MAGIC:
            raise ValueError("this descriptor is not a purge page of this release")
        return cls(fd, workers=workers, records=records, ring_bytes=ring_bytes)

    @property
    def size_bytes(self) -> int:
        """Return how much of its file the page takes; the rest is others'."""
        return self._ring_at + self._ring_bytes

    def close(self) -> None:
        """Unmap the page and close its descriptor; every `epoch_word` must be released before."""
        self._words.release()
        self._map.close()
        os.close(self.fd)

    # every process

    def epoch(self) -> int:
        """Return the sequence number of the last published purge."""
        return self._words[_EPOCH] & _SEQUENCE

    def epoch_word(self) -> memoryview:
        """Return a view whose `[0]` changes with every purge and every switch of policies.

        It is one 8-byte read, for the hit path.
        """
        return self._words[_EPOCH : _EPOCH + 1]

    def policy_epoch(self) -> int:
        """Return the epoch of the policies in force."""
        return self._words[_POLICY]

    def applied(self, worker_no: int) -> int:
        """Return the sequence that a worker has applied; DETACHED when there is none."""
        word = self._words[self._slot(worker_no)]
        return DETACHED if word == DETACHED else word & _SEQUENCE

    # a worker

    def since(self, applied: int) -> list[Purge]:
        """Return the purges after `applied`, oldest first; one hard purge of ALL if any is lost."""
        epoch = self.epoch()
        if epoch - applied > self._records:
            return [Purge(sequence=epoch, kind=PurgeKind.ALL)]
        purges = []
        for sequence in range(applied + 1, epoch + 1):
            purge = self._read(sequence)
            if purge is None:
                return [Purge(sequence=epoch, kind=PurgeKind.ALL)]
            purges.append(purge)
        return purges

    def history(self) -> list[Purge]:
        """Return the purges that can still be read, oldest first: none between them is missing."""
        purges = deque[Purge]()
        for sequence in range(self.epoch(), max(0, self.epoch() - self._records), -1):
            purge = self._read(sequence)
            if purge is None:
                break
            purges.appendleft(purge)
        return list(purges)

    def acknowledge(self, worker_no: int, word: int) -> None:
        """Say that this worker will start no response by what was true before this epoch word."""
        self._words[self._slot(worker_no)] = word

    # the supervisor

    def publish(
        self,
        kind: PurgeKind,
        value: bytes = b"",
        *,
        soft: bool = False,
        point: RegionPoint | None = None,
    ) -> int:
        """Append a purge and return its sequence number; only one process may ever call this."""
        if len(value) > VALUE_MAX_BYTES:
            raise ValueError(f"a purge names at most {VALUE_MAX_BYTES} bytes")
        sequence = self.epoch() + 1
        start = self._ring_next
        self._ring_next += len(value)
        self._copy_in(start % self._ring_bytes, value)
        log_id, number, counts_as, until = point or (_NO_LOG, 0, 0, 0)
        facts = (sequence, start, number, counts_as, until, log_id, len(value), kind, soft)
        checksum = zlib.crc32(value, zlib.crc32(_RECORD_BODY.pack(*facts)))
        record = _RECORD.pack(*facts, checksum)
        at = self._record_at(sequence)
        self._map[at : at + _RECORD.size] = record
        self._words[_EPOCH] += 1
        return sequence

    def switch(self, policy_epoch: int) -> None:
        """Put other policies in force, which every worker has prepared; the writer's, too."""
        self._words[_POLICY] = policy_epoch
        switches = self._words[_EPOCH] >> _SEQUENCE_BITS
        count = (switches + 1) % (DETACHED >> _SEQUENCE_BITS)
        self._words[_EPOCH] = count << _SEQUENCE_BITS | self.epoch()

    def detach(self, worker_no: int) -> None:
        """Free the slot of a worker that is gone: what it held is gone with it."""
        self._words[self._slot(worker_no)] = DETACHED

    def behind(self, sequence: int) -> list[int]:
        """Return the numbers of the workers that have not applied `sequence` yet."""
        return [no for no in range(self.workers) if self.applied(no) < sequence]

    def unswitched(self) -> list[int]:
        """Return the numbers of the workers that have not followed the last switch yet."""
        switches = self._words[_EPOCH] >> _SEQUENCE_BITS
        words = [(no, self._words[self._slot(no)]) for no in range(self.workers)]
        return [no for no, word in words if word != DETACHED and word >> _SEQUENCE_BITS != switches]

    # layout

    def _slot(self, worker_no: int) -> int:
        if not 0 <= worker_no < self.workers:
            raise IndexError(f"this page has {self.workers} workers, not {worker_no + 1}")
        return _SLOTS + _SLOT_WORDS * worker_no

    def _record_at(self, sequence: int) -> int:
        return self._records_at + sequence % self._records * _RECORD.size

    def _read(self, wanted: int) -> Purge | None:
        """Return the record with this sequence, or None when it is overwritten or stays torn."""
        at = self._record_at(wanted)
        for _ in range(_ATTEMPTS):
            record = self._map[at : at + _RECORD.size]
            *facts, checksum = _RECORD.unpack(record)
            sequence, start, number, counts_as, until, log_id, length, kind, soft = facts
            if sequence > wanted:
                return None
            if sequence < wanted or length > VALUE_MAX_BYTES:
                continue
            value = self._copy_out(start % self._ring_bytes, length)
            if zlib.crc32(value, zlib.crc32(_RECORD_BODY.pack(*facts))) == checksum:
                point = RegionPoint(log_id, number, counts_as, until)
                return Purge(
                    sequence=wanted,
                    kind=PurgeKind(kind),
                    value=value,
                    soft=bool(soft),
                    point=None if log_id == _NO_LOG else point,
                )
        return None

    def _copy_in(self, at: int, value: bytes) -> None:
        fits = min(len(value), self._ring_bytes - at)
        ring = self._ring_at
        self._map[ring + at : ring + at + fits] = value[:fits]
        self._map[ring : ring + len(value) - fits] = value[fits:]

    def _copy_out(self, at: int, length: int) -> bytes:
        fits = min(length, self._ring_bytes - at)
        ring = self._ring_at
        return self._map[ring + at : ring + at + fits] + self._map[ring : ring + length - fits]


class PurgeFollower:
    """A worker's place in the page: it applies what was published and says so."""

    __slots__ = (
        *("_apply", "_page", "_policy_epoch", "_switch", "_worker_no"),
        *("applied", "epoch_word", "word"),
    )

    def __init__(
        self,
        page: PurgePage,
        worker_no: int,
        apply: Callable[[Purge], None],
        switch: Callable[[int], None] = lambda _policy_epoch: None,
    ) -> None:
        """Attach at the page's current sequence: right for a worker that holds nothing yet.

        A supervisor that published just before it could see the slot does not wait for us: by the
        time that a first fill has an answer to keep, the epoch has long been visible here, and each
        look-up compares it.
        """
        self._page = page
        self._worker_no = worker_no
        self._apply = apply
        self.epoch_word = page.epoch_word()
        self._switch = switch
        self.word = self.epoch_word[0]  # as of which everything is applied
        self.applied = self.word & _SEQUENCE  # the sequence of the last purge in it
        self._policy_epoch = page.policy_epoch()
        page.acknowledge(worker_no, self.word)

    def catch_up(self) -> int:
        """Apply every purge and switch published by now; return the last purge's sequence number.

        The hit path calls it when `epoch_word[0] != word`; it is synchronous, so no response starts
        in between.
        """
        while (word := self.epoch_word[0]) != self.word:
            for purge in self._page.since(self.applied):
                self._apply(purge)
                self.applied = purge.sequence
            if word >> _SEQUENCE_BITS != self.word >> _SEQUENCE_BITS:
                self._follow_switch()
            self.word = word
        self._page.acknowledge(self._worker_no, self.word)
        return self.applied

    def _follow_switch(self) -> None:
        for _ in range(_ATTEMPTS):  # the policy's word may become visible after the epoch's
            policy_epoch = self._page.policy_epoch()
            if policy_epoch != self._policy_epoch:
                self._policy_epoch = policy_epoch
                self._switch(policy_epoch)
                return

    def detach(self) -> None:
        """Leave the page: this worker serves nothing any more."""
        self.epoch_word.release()
        self._page.detach(self._worker_no)


def _anonymous_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("amaro-purges", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
