"""How a node's purges are published: on disk first, then in the page, then by all workers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Final

from cache_policies.policies import UNSYNCED
from edge.disk_keeper import DiskKeeper
from edge.log_page import Numbered, Place
from edge.orders import PurgeOrder
from edge.purges import Purge, PurgePage
from edge.receipts import Receipt
from edge.region_counting import Counting
from edge.region_places import RegionPoint, log_id_of

UNREAD_MAX: Final = 1_024  # published at once: a worker that misses one drops all it holds;
UNREAD_MAX_BYTES: Final = 256 * 1024  # the page has room for four times as much


@dataclass(kw_only=True)
class Publishing:
    """The only writer of a node's page."""

    page: PurgePage
    disk: DiskKeeper | None
    reached: Callable[[PurgeOrder], PurgeOrder]  # with all the names that it has here
    followed: Callable[[Sequence[int]], Awaitable[None]]  # these workers have, or took too long
    forgets: bool = False  # orders of its own at its end, while others keep what these have purged
    counting: Counting = field(default_factory=Counting)
    _publishing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def order(self, order: PurgeOrder) -> Receipt:
        """Carry out an order of this edge's own; with a disk it is in the purge log before that."""
        return await self.orders([order])

    async def orders(self, orders: Sequence[PurgeOrder]) -> Receipt:
        """The same for several, in their order."""
        began_mono = time.monotonic()
        async with self._publishing:
            purges: list[Purge] = []
            for order in orders:
                purges += self._purges(self.reached(order), self.page.epoch() + len(purges))
            try:
                lost = await self._publish(purges, None)
            finally:
                self.counting.local(self.page.epoch())
        if self.forgets:
            lost = "only until this edge ends: it has no disk, and shares what others hold"
        return await self.receipt(began_mono, lost)

    async def numbered(self, place: Place, purges: Sequence[Numbered], until: int) -> Receipt:
        """Carry out purges of a region's log, which lead up to a place in it.

        Others' entries are of no use before the number `until` which the log goes already.
        """
        began_mono, log_id = time.monotonic(), log_id_of(place.log)
        published: list[Purge] = []
        async with self._publishing:
            sequence = self.page.epoch()
            for number, order in purges:
                published += self._purges(self.reached(order), sequence)
                last = published.pop()
                sequence = last.sequence
                counts_as = self.counting.count(sequence, number)
                point = RegionPoint(log_id, number, counts_as, until)
                published.append(replace(last, point=point))
            lost = await self._publish(published, place)
        return await self.receipt(began_mono, lost)

    async def receipt(self, began_mono: float, lost: str = "") -> Receipt:
        """What has become of all that is published by now."""
        sequence = self.page.epoch()
        await self.followed(self.page.behind(sequence))
        hanging = tuple(self.page.behind(sequence))
        return Receipt(
            sequence=sequence,
            workers=self.page.workers - len(hanging),
            hanging=hanging,
            lost=lost,
            took_ms=(time.monotonic() - began_mono) * 1000.0,
        )

    @property
    def is_cut_off(self) -> bool:
        """Whether all but what is immutable is validated now, since purges may be missed."""
        return bool(self.page.policy_epoch() & UNSYNCED)

    def cut_off(self, *, is_cut_off: bool) -> None:
        """Have the workers reuse nothing but what is immutable, or be as always again."""
        if self.is_cut_off is not is_cut_off:
            self.page.switch(self.page.policy_epoch() ^ UNSYNCED)

    @staticmethod
    def _purges(order: PurgeOrder, after: int) -> Iterator[Purge]:
        for sequence, value in zip(count(after + 1), order.values, strict=False):
            yield Purge(sequence=sequence, kind=order.kind, value=value, soft=order.soft)

    async def _publish(self, purges: Sequence[Purge], read_to: Place | None) -> str:
        """Have purges last and in the page; return what stands in the way of the former, or "".

        Who gives up on it does so when it is done: no sequence is on disk that the page has not.
        """
        task = asyncio.create_task(self._recorded(purges, read_to))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            raise

    async def _recorded(self, purges: Sequence[Purge], read_to: Place | None) -> str:
        lost = ""
        if self.disk is not None:
            try:
                await self.disk.record(purges, read_to=read_to)
            except OSError as error:
                lost = f"not in the purge log: {error.strerror}"
        unread_bytes = unread = 0
        for purge in purges:
            if unread == UNREAD_MAX or unread_bytes + len(purge.value) > UNREAD_MAX_BYTES:
                await self.followed(self.page.behind(self.page.epoch()))
                unread_bytes = unread = 0
            self.page.publish(purge.kind, purge.value, soft=purge.soft, point=purge.point)
            unread, unread_bytes = unread + 1, unread_bytes + len(purge.value)
        return lost
