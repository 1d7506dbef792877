"""The disk tier of one worker: look up without an index, read without blocking, write beside."""

import asyncio
import logging
import os
import zlib
from functools import partial
from pathlib import Path
from typing import Final

from cache_policies.message import Fields, ResponseHead
from edge.arena import Slice
from edge.counters import Counters
from edge.disk_files import CacheFile, look_up
from edge.disk_format import SLICED, DamagedError, verify_checksum
from edge.disk_place import PURGES, Place
from edge.disk_pool import BusyError, DiskPool
from edge.disk_writing import Bounds, DiskWriter
from edge.entry import Entry
from edge.errors import StorageError
from edge.memory import Memory
from edge.purge_log import DamagedLogError, read
from edge.purged import Purged
from edge.residence import Mark, times_at
from edge.settings import EdgeSettings
from edge.sliced import SlicedEntry
from edge.tasks import Tasks

STEP_BYTES: Final = 262_144  # read inline before the loop has another turn
SLICE_WAIT_S: Final = 1.0  # at least, for a slice of a body that players are being sent already
THREADS: Final = 4
OBJECT_SHARE: Final = 2  # of the disk, for one object at most
log = logging.getLogger("edge.disk")

_NOWAIT: Final = getattr(os, "RWF_NOWAIT", None)  # Linux


class DiskHeld:
    """One response on disk, open."""

    def __init__(self, file: CacheFile, tier: "DiskTier", deadline: float) -> None:
        head = file.head
        mark = Mark(
            wall=head.response_wall,
            delay_s=head.response_delay_s,
            boot_s=head.response_boot,
            boot_id=head.boot_id,
        )
        self.head = ResponseHead(head.status, head.fields)
        self.times, self.trusted = times_at(mark, tier.place.clocks())
        self.vary = head.vary
        self.tags = head.tags
        self.purge_sequence = head.purge_sequence
        self.length = head.length
        self.is_sliced = head.part == SLICED
        self._file = file
        self._tier = tier
        self._deadline = deadline  # of the loop's clock, for the first slice that is read
        self._is_open = True

    async def read(self, slice_no: int) -> bytes:
        """One slice: from the page cache at once, else from a thread."""
        if slice_no not in self._file.head.slices:
            raise StorageError("another-file")
        loop = asyncio.get_running_loop()
        limit_s = max(0.0, self._deadline - loop.time())
        try:
            data = await self._cached(slice_no)
            if data is None:
                data = await self._tier.pool.run(
                    partial(self._file.read, slice_no), limit_s=limit_s
                )
        except DamagedError:
            self._tier.counters.disk_damaged += 1
            self.drop()
            raise
        except BusyError:
            self._tier.counters.disk_skipped += 1
            raise
        except OSError as error:
            self._tier.counters.disk_failed += 1
            raise StorageError("disk", str(error)) from None
        self._deadline = loop.time() + self._tier.slice_wait_s
        self._tier.counters.disk_bytes += len(data)
        return bytes(data)

    async def _cached(self, slice_no: int) -> bytes | None:
        """The slice, if all of it is in memory already."""
        file = self._file
        start, size = file.head.where(slice_no)
        begin = file.head_size + start
        if begin + size <= len(file.read_ahead):
            return file.read(slice_no)
        if _NOWAIT is None:
            return None
        data, got, checksum = bytearray(size), 0, 0
        while got < size:
            step = memoryview(data)[got : got + STEP_BYTES]
            try:
                count = os.preadv(file.fd, [step], begin + got, _NOWAIT)
            except OSError:  # not all there, or a file system that cannot say
                return None
            if not count:
                raise DamagedError("truncated")
            checksum = zlib.crc32(step[:count], checksum)
            got += count
            if got < size:
                await asyncio.sleep(0)
        verify_checksum(file.head, slice_no, checksum)
        return bytes(data)

    def close(self) -> None:
        """Close the file, in a thread."""
        if self._is_open:
            self._is_open = False
            self._tier.pool.post(self._file.close)

    def drop(self) -> None:
        """Remove the file and close it, in a thread."""
        if self._is_open:
            self._is_open = False
            self._tier.pool.post(self._file.remove)


class DiskTier:
    """What is on disk, for one worker; all workers of a node share the files, without locks."""

    name = "disk"

    def __init__(
        self,
        place: Place,
        *,
        wait_s: float,
        counters: Counters,
        writer: DiskWriter,
    ) -> None:
        self.object_max_bytes = writer.bounds.object_max_bytes
        self.counters = counters
        self.place = place
        self.writer = writer
        self.pool = DiskPool(THREADS, "disk")
        self.slice_wait_s = max(SLICE_WAIT_S, wait_s)
        self._wait_s = wait_s

    async def find(
        self, key: bytes, fields: Fields, slice_no: int | None = None
    ) -> DiskHeld | None:
        """What is on disk for this request; whatever breaks is counted, and a miss."""
        counters = self.counters
        deadline = asyncio.get_running_loop().time() + self._wait_s
        try:
            file: CacheFile | None = await self.pool.run(
                partial(look_up, self.place.root, key, fields, slice_no),
                limit_s=self._wait_s,
                dispose=_close,
            )
        except BusyError:
            counters.disk_skipped += 1
            return None
        except DamagedError:
            counters.disk_damaged += 1
            return None
        except OSError:
            counters.disk_failed += 1
            return None
        if file is None:
            return None
        held = DiskHeld(file, self, deadline)
        if file.head.log_id != self.place.log_id:  # of another life, whose purges are not known
            held.drop()
            return None
        return held

    def offer(self, entry: Entry, *, after: int, second_hand: bool) -> None:
        """Have it written some time, if it is worth it."""
        self.writer.offer(entry, after=after, second_hand=second_hand)

    def offer_slice(
        self, entry: SlicedEntry, slice_no: int, data: Slice, *, second_hand: bool
    ) -> None:
        """Have a slice written some time, of an entry that was asked for often enough."""
        self.writer.offer_slice(entry, slice_no, data, second_hand=second_hand)

    async def room(self) -> None:
        """Wait a moment, if that is what it takes for one slice more to be written."""
        await self.writer.room()

    def asked(self, key: bytes, variant: bytes) -> int:
        """Note a request for what is too large for memory; how many there were lately."""
        return self.writer.asked(key, variant)

    def close(self) -> None:
        """Let the threads end."""
        self.writer.close()
        self.pool.close()


def open_tier(
    settings: EdgeSettings, *, memory: Memory, counters: Counters, tasks: Tasks
) -> tuple[DiskTier, Purged] | None:
    """A worker's disk tier, and what must not be served from it; None when it cannot be used."""
    assert settings.disk is not None
    root, wait_s = Path(settings.disk), settings.limits.disk_wait_s
    try:
        history = read(root / PURGES)
        if history is None:
            return None
        place = Place.at(root, history.log_id)
    except (OSError, DamagedLogError) as error:
        log.warning("no disk tier: %s", error)
        return None
    writer = DiskWriter(
        place,
        bounds=Bounds(settings.disk_bytes // OBJECT_SHARE, wait_s),
        memory=memory,
        counters=counters,
        tasks=tasks,
    )
    return DiskTier(place, wait_s=wait_s, counters=counters, writer=writer), history.purged


def _close(file: CacheFile | None) -> None:
    if file is not None:
        file.close()
