"""Follows a region's log of purges: what carriers bring where it joins up, else by reading."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

from edge.log_page import NOTHING, NUMBER_MAX, Carried, FeedError, LogPage, Numbered, Place
from edge.orders import PurgeOrder
from edge.publishing import Publishing
from edge.purges import PurgeKind
from edge.receipts import Receipt

if TYPE_CHECKING:
    from edge.settings import Limits

LOOK_BACK: Final = 2_000  # purges that are read at first: what others hold from then on is of use
RETRY_EVERY_S: Final = 0.2  # while the log does not answer, at the start
RETRY_CUT_OFF_S: Final = 1.0  # later, once it has not for long
HANGING_S: Final = 5.0  # a reading that takes longer, when it is the last that may help, does not

log = logging.getLogger("edge.purges")


class Feed(Protocol):
    """Where the log is read."""

    async def page(self, after: int, log: str = "") -> LogPage:
        """The purges after a number, which is one of a log's. Raises FeedError."""


class RegionFollower:
    """A node's place in the log: all purges up to it are carried out here, and will last."""

    def __init__(self, feed: Feed, publishing: Publishing, limits: Limits) -> None:
        self._feed = feed
        self._publishing = publishing
        self._limits = limits
        self._reading = asyncio.Lock()
        self._taking = asyncio.Lock()
        self._wanted = asyncio.Event()
        self._has_begun = False
        self._until = 0  # the log's last number when its beginning here was read
        disk = publishing.disk
        self.place: Place | None = None if disk is None else disk.read_to
        self._published = self.place  # which a disk that cannot be written is behind
        self._lost = ""  # why
        self._synced_mono = time.monotonic()
        if disk is not None:  # of orders before, nobody knows any more which were this edge's own
            publishing.counting.counts_as = disk.places.counts_as
            publishing.counting.last_local = disk.sequence

    async def begin(self) -> None:
        """Know what was purged before anything is served; else what a disk holds is not."""
        why = "no answer"
        try:
            async with asyncio.timeout(self._limits.purge_log_s):
                while True:
                    try:
                        return await self.read()
                    except FeedError as error:
                        why = str(error)
                    await asyncio.sleep(RETRY_EVERY_S)
        except TimeoutError:
            log.warning("no purge log can be read, so nothing is shared: %s", why)
            if self._publishing.disk is not None:
                log.warning("the disk starts empty")
                await self._publishing.order(PurgeOrder(kind=PurgeKind.ALL, values=(b"",)))
        finally:
            self._has_begun = True

    async def run(self) -> None:
        """Read the log now and then, and when a carrier gives reason to, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read_on())
            tasks.create_task(self._watch())

    async def _watch(self) -> None:
        """See to it that a reading which never ends is silence, too."""
        while True:
            left_s = self._limits.unsynced_max_s + HANGING_S - self.unsynced_s()
            await asyncio.sleep(left_s if left_s > 0.0 else HANGING_S)
            if self.unsynced_s() >= self._limits.unsynced_max_s + HANGING_S:
                self._note_silence()

    async def _read_on(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause_s()):
                    await self._wanted.wait()
            self._wanted.clear()
            try:
                await self.read()
            except FeedError as error:
                log.info("the purge log could not be followed: %s", error)
                self._note_silence()

    def unsynced_s(self) -> float:
        """For how long purges may have been missed."""
        return max(0.0, time.monotonic() - self._synced_mono)

    def _pause_s(self) -> float:
        """Until the log is read again."""
        every_s, max_s = self._limits.purge_log_every_s, self._limits.unsynced_max_s
        left_s = max_s - self.unsynced_s()
        return min(every_s, left_s) if left_s > 0.0 else min(every_s, RETRY_CUT_OFF_S)

    def _note_silence(self) -> None:
        if self.unsynced_s() >= self._limits.unsynced_max_s and not self._publishing.is_cut_off:
            log.warning("cut off from the purge log: only what is immutable is reused")
            self._publishing.cut_off(is_cut_off=True)

    def _note_synced(self, since_mono: float) -> None:
        """All that was in the log at this time is published."""
        self._synced_mono = max(self._synced_mono, since_mono)
        if self._publishing.is_cut_off:
            log.warning("the purge log is followed again")
            self._publishing.cut_off(is_cut_off=False)

    def read_soon(self) -> None:
        """Something may have been missed."""
        self._wanted.set()

    async def read(self) -> None:
        """Carry out all that is in the log. Raises FeedError."""
        async with self._reading:
            began_mono, began_at = time.monotonic(), self._publishing.page.epoch()
            is_last = False
            while not is_last:
                asked = self._published
                if asked is None:
                    page = await self._feed.page(NUMBER_MAX)
                else:
                    page = await self._feed.page(asked.number, asked.log)
                async with self._taking:
                    is_last = await self._take(page, asked, began_at)
            self._note_synced(began_mono)
            self._must_last()

    async def hear(self, carried: Carried) -> Receipt:
        """Carry out what a carrier brings, and what it does not. Raises FeedError."""
        began_mono = time.monotonic()
        if not await self._joined(carried):
            await self.read()
            if not await self._joined(carried):
                raise FeedError("a carrier is ahead of the purge log")
        return await self._publishing.receipt(began_mono)

    async def _joined(self, carried: Carried) -> bool:
        """Publish what is news; say whether all up to the carried number is carried out then.

        Raises FeedError when it is, but may not last.
        """
        async with self._taking:
            place = self._published
            if place is None or place.log != carried.log:
                return False
            if carried.number <= place.number:
                await self._make_last()
            elif carried.purges is None or carried.after > place.number:
                return False
            else:
                heard_mono = time.monotonic()
                await self._publish(Place(carried.log, carried.number), carried.purges)
                self._note_synced(heard_mono)
            self._must_last()
            return True

    async def _take(self, page: LogPage, asked: Place | None, began_at: int) -> bool:
        """Publish what a page brings that was asked for at a place; say whether it is the last."""
        self._publishing.counting.read(began_at, page.last)
        if not page.reaches(asked):
            await self._begin_anew(page)
        else:
            last = page.purges[-1].number if page.purges else 0
            if page.last > max(last, self._number) and not page.purges:
                raise FeedError("the purge log keeps back what it says to have")
            if last > self._number:
                await self._publish(Place(page.log, last), page.purges)
            else:
                await self._make_last()
        return self._number >= page.last

    async def _begin_anew(self, page: LogPage) -> None:
        """What was purged since this edge last knew cannot be told: whatever it holds may be."""
        start = Place(page.log, max(page.floor, page.last - LOOK_BACK))
        first = NOTHING
        if self._has_begun or self._publishing.page.epoch() > 0:
            log.warning("purges may have been missed: this edge starts empty")
            first = PurgeOrder(kind=PurgeKind.ALL, values=(b"",))
        self._publishing.counting.begin()
        self.place = self._published = None
        self._until = page.last
        await self._publish(start, [Numbered(start.number, first)])

    async def _publish(self, place: Place, purges: Sequence[Numbered]) -> None:
        news = [each for each in purges if self._published is None or each.number > self._number]
        receipt = await self._publishing.numbered(place, news, self._until)
        self._published, self._lost = place, receipt.lost
        if not receipt.lost:
            self.place = place

    async def _make_last(self) -> None:
        """Try again to have on disk what workers have long carried out."""
        if self._published is not None and self.place != self._published:
            await self._publish(self._published, ())

    def _must_last(self) -> None:
        """Acknowledge nothing that a restart might forget. Raises FeedError."""
        if self.place != self._published:
            raise FeedError(self._lost)

    @property
    def _number(self) -> int:
        return 0 if self._published is None else self._published.number
