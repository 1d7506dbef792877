"""The disk tier of one worker: look up without an index, read without blocking, write beside."""

import asyncio
import logging
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Final

from zlib_ng.zlib_ng import crc32

from cache_policies.message import Fields, ResponseHead
from edge.arena import SLICE_BYTES, Slice
from edge.counters import Counters
from edge.disk_at_hand import AtHand, read_into
from edge.disk_files import CacheFile, look_up, note_uses
from edge.disk_place import PURGES, Place
from edge.disk_pool import BusyError, DiskPool
from edge.disk_writing import DiskWriter
from edge.entry import Entry
from edge.errors import StorageError
from edge.memory import Memory
from edge.purge_log import DamagedLogError, read
from edge.purged import Purged
from edge.record import SLICED, DamagedError, verify_checksum
from edge.recording import times_of
from edge.region_places import RegionPlaces
from edge.settings import EdgeSettings
from edge.sliced import SlicedEntry
from edge.spares import Spares
from edge.tasks import Tasks
from edge.write_queue import Bounds

STEP_BYTES: Final = 262_144  # read inline before the loop has another turn
SLICE_WAIT_S: Final = 1.0  # at least, for a slice of a body that players are being sent already
THREADS: Final = 4
OBJECT_SHARE: Final = 2  # of the disk, for one object at most
_USES_AFTER_S: Final = 1.0  # then uses are noted, in one go
_USES_MAX: Final = 4096
log = logging.getLogger("edge.disk")


class DiskHeld:
    """One response on disk, open."""

    def __init__(self, file: CacheFile, tier: "DiskTier", deadline: float) -> None:
        head = file.head
        self.head = ResponseHead(head.status, head.fields)
        self.times, self.trusted = times_of(head, tier.place.clocks())
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
            try:
                data = await self._at_hand(slice_no)
            except BlockingIOError:
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
        return data

    async def _at_hand(self, slice_no: int) -> bytes:
        """The slice, if all of it is in memory already. Raises BlockingIOError if not."""
        file = self._file
        start, size = file.head.where(slice_no)
        begin = file.head_size + start
        if begin + size <= len(file.read_ahead):
            return file.read(slice_no)
        is_full = size == SLICE_BYTES
        data = self._tier.spares.place() if is_full else BytesIO(bytes(size))
        got = checksum = 0
        with data.getbuffer() as place:
            while got < size:
                with place[got : got + STEP_BYTES] as rest:
                    count = read_into(file.fd, rest, begin + got)
                    if not count:
                        raise DamagedError("truncated")
                    with rest[:count] as step:
                        checksum = crc32(step, checksum)
                got += count
                if got < size:
                    await asyncio.sleep(0)
        verify_checksum(file.head, slice_no, checksum)
        return data.getvalue()  # what was read into: nobody else has it

    def close(self) -> None:
        """Close the file, in a thread where that takes long."""
        if self._is_open:
            self._is_open = False
            if self._file.is_removed:
                self._tier.pool.post(self._file.close)
            else:
                self._file.close()

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
        spares: Spares,
    ) -> None:
        self.object_max_bytes = writer.bounds.object_max_bytes
        self.counters = counters
        self.place = place
        self.spares = spares
        self.writer = writer
        self.pool = DiskPool(THREADS, "disk")
        self.slice_wait_s = max(SLICE_WAIT_S, wait_s)
        self._wait_s = wait_s
        self._at_hand = AtHand(self._note_use)
        self._used: dict[str, None] = {}  # files whose use is to be noted
        self._noting: asyncio.TimerHandle | None = None

    async def find(
        self, key: bytes, fields: Fields, slice_no: int | None = None
    ) -> DiskHeld | None:
        """What is on disk for this request; whatever breaks is counted, and a miss."""
        counters = self.counters
        root = self.place.root
        deadline = asyncio.get_running_loop().time() + self._wait_s
        file: CacheFile | None
        try:
            try:
                file = look_up(root, key, fields, slice_no, self._at_hand)
            except BlockingIOError:
                file = await self.pool.run(
                    partial(look_up, root, key, fields, slice_no),
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

    def _note_use(self, path: str) -> None:
        """Have a file's time of last use written in a while: that may wait."""
        if len(self._used) < _USES_MAX:
            self._used[path] = None
        if self._noting is None:
            self._noting = asyncio.get_running_loop().call_later(_USES_AFTER_S, self._note_uses)

    def _note_uses(self) -> None:
        self._noting = None
        paths, self._used = list(self._used), {}
        self.pool.post(partial(note_uses, paths))

    def close(self) -> None:
        """Let the threads end."""
        if self._noting is not None:
            self._noting.cancel()
        self.writer.close()
        self.pool.close()


def open_tier(
    settings: EdgeSettings, *, memory: Memory, counters: Counters, tasks: Tasks
) -> tuple[DiskTier, Purged, RegionPlaces] | None:
    """A worker's disk tier, what must not be served from it, and where that is in a region's log.

    None when it cannot be used.
    """
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
    tier = DiskTier(place, wait_s=wait_s, counters=counters, writer=writer, spares=memory.spares)
    return tier, history.purged, history.places


def _close(file: CacheFile | None) -> None:
    if file is not None:
        file.close()
