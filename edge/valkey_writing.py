"""How records get to Valkey: each as a value with its time to live, within the bucket's budget."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from zlib_ng.zlib_ng import crc32

from cache_policies.valkey_buckets import BUCKETS
from edge.arena import Slice
from edge.belonging import etag_of, is_newer, stands_for
from edge.entry import Entry
from edge.record import SLICED, WHOLE, DamagedError, RecordHead, decode, encode
from edge.recording import signpost_of
from edge.useful_time import useful_for_s
from edge.valkey_link import FULL, LinkError, NotAskedError, ValkeyLink
from edge.valkey_names import Name, books_of, name_of
from edge.valkey_scripts import KEEP, RENEW
from edge.write_queue import Given, WriteQueue, Writing

SMALL_BYTES: Final = 262_144  # bodies with a value for all, that go there when asked for once;
AFTER: Final = 2  # larger ones go by slices, when they are asked for so often
LOOSE_MAX: Final = 4  # slices of a body without a strong validator: a look-up reads them all
LOOK_BYTES: Final = 4_096  # of a value that is there: nearly all heads are smaller


class ValkeyWriter(WriteQueue):
    """Writes what no other edge of the region has written."""

    def __init__(self, writing: Writing, link: ValkeyLink, budget_bytes: int) -> None:
        super().__init__(writing)
        self._link = link
        self._bucket_bytes = budget_bytes // BUCKETS

    def offer(self, entry: Entry, *, after: int, second_hand: bool) -> None:
        """Consider an entry; small ones are always worth it."""
        if entry.length <= self.bounds.object_max_bytes:
            after = 1 if entry.length <= SMALL_BYTES else max(AFTER, after)
            super().offer(entry, after=after, second_hand=second_hand)

    async def keep(self, given: Given) -> bool:
        """Write the values of a record. Raises LinkError where there is no memory for any."""
        head, slices = given.head, given.slices
        ttl_ms = int(1000 * useful_for_s(given.stored, head.length, self._clocks().mono))
        if not ttl_ms:
            return True
        try:
            if head.part == WHOLE and head.length > SMALL_BYTES:
                return await self._keep_by_slices(head, slices, ttl_ms)
            return await self._keep_one(head, slices, ttl_ms)
        except NotAskedError:
            self._counters.valkey_writes_skipped += 1
        except LinkError as error:
            if error.detail == FULL:
                raise
            self._counters.valkey_failed += 1  # the breaker sees to it that it does not go on so
        return False

    async def _keep_by_slices(self, head: RecordHead, slices: Sequence[Slice], ttl_ms: int) -> bool:
        """Write the slices of a body first: whoever finds the head finds them."""
        if etag_of(head) is None and len(slices) > LOOSE_MAX:
            return True
        for number, data in enumerate(slices):
            if not await self._keep_one(replace(head, part=number), [data], ttl_ms):
                return False
        return await self._keep_one(replace(head, part=SLICED), (), ttl_ms)

    async def _keep_one(self, head: RecordHead, slices: Sequence[Slice], ttl_ms: int) -> bool:
        """Write one value; say whether it, or one as good, is there now."""
        name = _name(head)
        keys = (name.text, *books_of(name.bucket))
        there = await self._there(name)
        if there is not None and is_newer(there, head):  # of an edge that knows more purges
            self._counters.valkey_writes_skipped += 1
            return False
        if there is not None and stands_for(there, head):
            await self._link.run(name.bucket, RENEW, keys, (ttl_ms,))
        else:
            head = replace(head, checksums=tuple(map(crc32, slices)))
            value = b"".join((encode(head), *slices))
            values = (value, ttl_ms, self._bucket_bytes)
            if not await self._link.run(name.bucket, KEEP, keys, values):
                self._counters.valkey_writes_skipped += 1
                return False
            self._counters.valkey_writes += 1
            self._counters.valkey_written_bytes += len(value)
        if head.vary and head.part < 0 and not head.is_signpost:
            return await self._keep_one(signpost_of(head), (), ttl_ms)
        return True

    async def _there(self, name: Name) -> RecordHead | None:
        """The head of the value that has this name now."""
        start = await self._link.start_of(name, LOOK_BYTES)
        try:
            return None if start is None else decode(start)
        except DamagedError:
            return None


def _name(head: RecordHead) -> Name:
    if head.part >= 0:
        return name_of(head.log_id, head.key, head.variant, head.part)
    varies = head.vary and not head.is_signpost
    return name_of(head.log_id, head.key, head.variant if varies else None)
