"""The tier that the edges of a region share: whatever Valkey does is a miss, never a wait."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cache_policies.message import Fields, ResponseHead
from cache_policies.valkey_address import parse_address
from cache_policies.vary import variant_key
from edge.arena import SLICE_BYTES, Slice
from edge.belonging import belongs, etag_of
from edge.clocks import Clocks
from edge.counters import Counters
from edge.entry import Entry
from edge.errors import StorageError
from edge.memory import Memory
from edge.record import SLICED, DamagedError, RecordHead, decode, head_bytes, verify
from edge.recording import times_of
from edge.region_places import Places
from edge.settings import EdgeSettings
from edge.sliced import SlicedEntry
from edge.tasks import Tasks
from edge.valkey_link import ASIDE_MAX, LinkError, NotAskedError, ValkeyLink
from edge.valkey_names import Name, books_of, name_of
from edge.valkey_scripts import USE
from edge.valkey_writing import SMALL_BYTES, ValkeyWriter
from edge.write_queue import Bounds, Writing

OBJECT_SHARE: Final = 8  # of the budget, for one object at most
_USES_AFTER_S: Final = 1.0  # then uses are noted, in one go
_USES_MAX: Final = 4_096
_DROPS_MAX: Final = ASIDE_MAX - 2  # under way, with what else is: a write finds a place


@dataclass(frozen=True, slots=True)
class Value:
    """A record as it was found."""

    name: Name
    head: RecordHead
    data: bytes  # all of it
    body_at: int  # in the data


class ValkeyHeld:
    """One response in Valkey: the value that was found has its head, and its body if it is small.

    Slices that it does not have are looked up as they are read.
    """

    def __init__(self, value: Value, sequence: int, tier: "ValkeyTier", deadline: float) -> None:
        head = value.head
        self.head = ResponseHead(head.status, head.fields)
        self.times, self.trusted = times_of(head, tier.writing.clocks())
        self.vary = head.vary
        self.tags = head.tags
        self.purge_sequence = sequence
        self.length = head.length
        self._combines = etag_of(head) is not None
        is_long = head.length > SLICE_BYTES
        self.is_sliced = head.part == SLICED and self._combines and is_long
        self._value = value
        self._tier = tier
        self._deadline = deadline  # of the loop's clock, for the first slice that is read
        self._counted_bytes = len(value.data)  # the origin may be asked first whether it is good
        tier.writing.memory.reserve(self._counted_bytes)

    async def read(self, slice_no: int) -> bytes:
        """One slice, verified."""
        value, tier = self._value, self._tier
        if slice_no not in value.head.slices:
            value = await self._other(slice_no)
        with memoryview(value.data) as data:
            body = bytes(data[value.body_at :])
        try:
            verify(value.head, slice_no, body)
        except DamagedError:
            tier.counters.valkey_damaged += 1
            tier.drop(value.name)
            raise
        tier.counters.valkey_bytes += len(body)
        return body

    async def _other(self, slice_no: int) -> Value:
        """The value of a slice that belongs to this head. Raises StorageError."""
        head, tier = self._value.head, self._tier
        if head.part != SLICED:
            raise StorageError("another-value")
        name = name_of(head.log_id, head.key, head.variant, slice_no)
        value = await tier.look_up(name, self._deadline, SLICE_BYTES)
        if self._combines:  # else all of it is read before anybody is sent a byte
            self._deadline = tier.deadline()
        if value is None or value.head.part != slice_no or not belongs(value.head, head):
            raise StorageError("slice-missing")
        return value

    def close(self) -> None:
        """Stop counting what was found."""
        counted_bytes, self._counted_bytes = self._counted_bytes, 0
        self._tier.writing.memory.release(counted_bytes)

    def drop(self) -> None:
        """Have the value removed."""
        self.close()
        self._tier.drop(self._value.name)


class ValkeyTier:
    """What a region's Valkey holds, for one worker."""

    name = "valkey"

    def __init__(
        self, link: ValkeyLink, writing: Writing, *, wait_s: float, budget_bytes: int
    ) -> None:
        self.object_max_bytes = writing.bounds.object_max_bytes
        self.counters = writing.counters
        self.writing = writing
        self.writer = ValkeyWriter(writing, link, budget_bytes)
        self._link = link
        self._wait_s = wait_s
        self._used: dict[Name, None] = {}  # values whose use is to be noted
        self._noting: asyncio.TimerHandle | None = None

    def deadline(self) -> float:
        """Until when a look-up that begins now may take, by the loop's clock."""
        return asyncio.get_running_loop().time() + self._wait_s

    async def find(
        self, key: bytes, fields: Fields, slice_no: int | None = None
    ) -> ValkeyHeld | None:
        """What is in Valkey for this request; whatever breaks is counted, and a miss."""
        deadline = self.deadline()
        try:
            value = await self._find(key, fields, slice_no, deadline)
        except StorageError:  # counted where it broke
            return None
        if value is None:
            return None
        sequence = self.writing.places.sequence_of(value.head.purge_sequence)
        if sequence is None:  # from so long ago that nobody knows what was purged since
            return None
        return ValkeyHeld(value, sequence, self, deadline)

    async def _find(
        self, key: bytes, fields: Fields, slice_no: int | None, deadline: float
    ) -> Value | None:
        log_id = self.writing.places.log_id
        if log_id is None:
            return None
        found = await self.look_up(name_of(log_id, key), deadline)
        variant = b""
        if found is not None and found.head.is_signpost:
            vary, variant = found.head.vary, variant_key(found.head.vary, fields)
            found = await self.look_up(name_of(log_id, key, variant), deadline)
            if found is not None and found.head.vary != vary:  # selected by other fields
                return None
        if found is None or not _is_of(found.head, key, variant) or found.head.part >= 0:
            return None
        if slice_no is None or slice_no in found.head.slices:
            return found
        if found.head.part != SLICED:
            return None
        name = name_of(log_id, key, variant, slice_no)
        part = await self.look_up(name, deadline, SLICE_BYTES)
        if part is None or not _is_of(part.head, key, variant) or part.head.part != slice_no:
            return None
        return part

    async def look_up(
        self, name: Name, deadline: float, body_bytes: int = SMALL_BYTES
    ) -> Value | None:
        """The value of a name, its head verified. Raises StorageError, having counted it.

        Memory counts, while it comes, what it may have of a body.
        """
        counters, memory = self.counters, self.writing.memory
        has_room = memory.reserve(body_bytes)
        try:
            if not has_room:
                raise NotAskedError("memory-short")
            data = await self._link.get(name, deadline)
            if data is None:
                return None
            head = decode(data)
            if len(data) != head_bytes(data) + head.body_bytes:
                raise DamagedError("truncated")
        except DamagedError:
            counters.valkey_damaged += 1
            self.drop(name)
            raise
        except LinkError as error:
            is_skipped = isinstance(error, NotAskedError) or error.detail == "slow"
            counters.of_tier(self.name, "skipped" if is_skipped else "failed")
            raise
        finally:
            memory.release(body_bytes)
        self._note_use(name)
        if head.log_id != self.writing.places.log_id:
            return None  # nobody can tell what was purged since
        return Value(name, head, data, head_bytes(data))

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

    def drop(self, name: Name) -> None:
        """Have a value removed some time; if that is not to be, it is dropped when found again."""
        if len(self.writing.tasks) < _DROPS_MAX:
            self.writing.tasks.start(self._drop(name))

    async def _drop(self, name: Name) -> None:
        try:
            await self._link.drop(name)
        except LinkError:
            self.counters.valkey_failed += 1

    def _note_use(self, name: Name) -> None:
        """Have a value's time of last use written in a while: that may wait."""
        if len(self._used) < _USES_MAX:
            self._used[name] = None
        if self._noting is None:
            self._noting = asyncio.get_running_loop().call_later(_USES_AFTER_S, self._note_uses)

    def _note_uses(self) -> None:
        self._noting = None
        used, self._used = list(self._used), {}
        self.writing.tasks.start(self._tell_uses(used))

    async def _tell_uses(self, used: list[Name]) -> None:
        by_bucket: dict[int, list[str]] = {}
        for name in used:
            by_bucket.setdefault(name.bucket, []).append(name.text)
        for bucket, names in by_bucket.items():
            try:
                await self._link.run(bucket, USE, books_of(bucket)[:1], names)
            except LinkError:
                self.counters.valkey_failed += 1

    def told(self) -> Iterator[tuple[str, float]]:
        """The values of gauges, by name."""
        return self._link.told()

    async def close(self) -> None:
        """Write nothing more, and let go of the connections."""
        if self._noting is not None:
            self._noting.cancel()
        self.writer.close()
        await self.writing.tasks.close()
        await self._link.close()


def open_tier(
    settings: EdgeSettings, *, places: Places, memory: Memory, counters: Counters
) -> ValkeyTier:
    """A worker's way to the Valkey that the settings name."""
    assert settings.redis is not None
    limits, tasks = settings.limits, Tasks()
    writing = Writing(
        tier=ValkeyTier.name,
        places=places,
        clocks=Clocks(),
        memory=memory,
        counters=counters,
        tasks=tasks,
        bounds=Bounds(settings.redis_bytes // OBJECT_SHARE, limits.redis_wait_s),
    )
    link = ValkeyLink(parse_address(settings.redis), limits=limits, tasks=tasks)
    return ValkeyTier(link, writing, wait_s=limits.redis_wait_s, budget_bytes=settings.redis_bytes)


def _is_of(head: RecordHead, key: bytes, variant: bytes) -> bool:
    """Whether a record is of this key and variant: two names may have one hash."""
    return (head.key, head.variant) == (key, variant)
