"""What players' unsafe requests change (RFC 9111 §4.4), purged in all workers a batch at a time.

However many ask, a batch is published only while the ones before that some worker has yet to apply,
or hangs on, take half of the ring: nothing is overwritten before it is read. A worker that misses a
purge drops all it holds.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from edge.orders import PurgeOrder
from edge.purges import VALUE_MAX_BYTES, PurgeKind
from edge.receipts import Receipt

BATCHES_MAX: Final = 4  # published and not applied yet; together, half of the ring:
BATCH_MAX: Final = 256  # keys, to each of which rules may add a name
BATCH_BYTES_MAX: Final = 64 * 1024  # of them


@dataclass(slots=True)
class _Batch:
    done: asyncio.Future[int]
    keys: dict[bytes, None] = field(default_factory=dict)
    size_bytes: int = 0

    def has_room(self, key: bytes) -> bool:
        fits = self.size_bytes + len(key) <= BATCH_BYTES_MAX
        return not self.keys or (len(self.keys) < BATCH_MAX and fits)


class Invalidations:
    """Collects keys while a batch is on its way; one that waits already is not added again."""

    def __init__(self, purge: Callable[[PurgeOrder], Awaitable[Receipt]]) -> None:
        self._purge = purge
        self._waiting: deque[_Batch] = deque()
        self._news = asyncio.Event()

    async def invalidate(self, keys: Iterable[bytes]) -> int:
        """Have keys purged; return the sequence number of the last purge once it is applied.

        One that is too long for a purge is too long for a request's head: nothing is stored there.
        """
        batches = [self._batch_of(key) for key in keys if len(key) <= VALUE_MAX_BYTES]
        waits = {id(batch): batch.done for batch in batches}
        return max([await asyncio.shield(done) for done in waits.values()], default=0)

    async def asked(self, names: list[str]) -> int:
        """Answer a worker that says keys as text."""
        return await self.invalidate(name.encode("latin-1") for name in names)

    async def run(self) -> None:
        """Publish what is asked for, until cancelled."""
        room = asyncio.Semaphore(BATCHES_MAX)
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._news.wait()
                await room.acquire()
                batch = self._waiting.popleft()
                if not self._waiting:
                    self._news.clear()
                tasks.create_task(self._publish(batch)).add_done_callback(lambda _: room.release())

    async def _publish(self, batch: _Batch) -> None:
        receipt = await self._purge(PurgeOrder(kind=PurgeKind.URL, values=(*batch.keys,)))
        batch.done.set_result(receipt.sequence)

    def _batch_of(self, key: bytes) -> _Batch:
        for batch in self._waiting:
            if key in batch.keys:
                return batch
        if not self._waiting or not self._waiting[-1].has_room(key):
            self._waiting.append(_Batch(asyncio.get_running_loop().create_future()))
        batch = self._waiting[-1]
        batch.keys[key] = None
        batch.size_bytes += len(key)
        self._news.set()
        return batch
