"""How a node follows the log when reading it does not even fail, and when a disk does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import pytest

from edge.log_page import Carried, FeedError, LogPage, Numbered, Place
from edge.orders import PurgeOrder
from edge.publishing import Publishing
from edge.purges import Purge, PurgeKind, PurgePage
from edge.region_follower import HANGING_S, RegionFollower
from edge.settings import Limits
from tests.support.region_world import Disk
from tests.support.virtual_time import virtual_time

LIMITS = Limits(purge_log_every_s=10.0, unsynced_max_s=60.0)


class Feed:
    """A log that answers until it hangs."""

    def __init__(self) -> None:
        self.goes_on = asyncio.Event()
        self.goes_on.set()

    async def page(self, after: int, log: str = "") -> LogPage:
        await self.goes_on.wait()
        return LogPage(log="log", floor=0, last=0, purges=())


async def at_once(_behind: object) -> None:
    """There are no workers."""


async def followed_for_long() -> None:
    feed = Feed()
    page = PurgePage.create(workers=1)
    publishing = Publishing(page=page, disk=None, reached=lambda each: each, followed=at_once)
    follower = RegionFollower(feed, publishing, LIMITS)
    await follower.begin()
    following = asyncio.create_task(follower.run())
    await asyncio.sleep(2 * LIMITS.unsynced_max_s)
    assert not publishing.is_cut_off
    feed.goes_on.clear()
    await asyncio.sleep(LIMITS.unsynced_max_s - LIMITS.purge_log_every_s)
    assert not publishing.is_cut_off
    await asyncio.sleep(LIMITS.purge_log_every_s + HANGING_S + 1.0)
    assert publishing.is_cut_off
    feed.goes_on.set()
    await asyncio.sleep(1.0)
    assert not publishing.is_cut_off
    following.cancel()
    with suppress(asyncio.CancelledError):
        await following


def test_a_reading_that_never_ends_cuts_off() -> None:
    with virtual_time() as loop:
        loop.run_until_complete(followed_for_long())


ALL = PurgeOrder(kind=PurgeKind.ALL, values=(b"",))


class FailingDisk(Disk):
    """It knows in memory what it could not write, and writes that with the next."""

    def __init__(self) -> None:
        super().__init__()
        self.is_writable = True
        self.tried = 0

    async def record(self, purges: Sequence[Purge], *, read_to: Place | None = None) -> None:
        await super().record(purges, read_to=read_to)
        self.tried += 1
        if not self.is_writable:
            raise OSError(30, "Read-only file system")


class GrowingFeed:
    """A log of orders to purge everything."""

    def __init__(self) -> None:
        self.log, self.last = "log", 0

    async def page(self, after: int, log: str = "") -> LogPage:
        numbers = range(after + 1, self.last + 1) if log == self.log else ()
        purges = tuple(Numbered(number, ALL) for number in numbers)
        return LogPage(log=self.log, floor=0, last=self.last, purges=purges)


@pytest.mark.parametrize("is_new_log", [False, True])
def test_what_a_disk_does_not_take_is_published_once(is_new_log: bool) -> None:
    async def followed() -> None:
        feed, disk, page = GrowingFeed(), FailingDisk(), PurgePage.create(workers=1)
        publishing = Publishing(
            page=page,
            disk=disk,  # type: ignore[arg-type]
            reached=lambda each: each,
            followed=at_once,
        )
        follower = RegionFollower(feed, publishing, LIMITS)
        await follower.begin()
        following = asyncio.create_task(follower.run())
        before, kept = page.epoch(), follower.place
        disk.is_writable, disk.tried = False, 0
        feed.last = 1
        if is_new_log:
            feed.log = "another"
        await asyncio.sleep(2 * LIMITS.unsynced_max_s)
        once = before + 1 + is_new_log  # of which nothing was known
        assert page.epoch() == once  # however often its writing was tried
        assert disk.tried >= 10
        assert follower.place == (None if is_new_log else kept)
        carried = Carried(log=feed.log, after=0, number=1, purges=(Numbered(1, ALL),))
        with pytest.raises(FeedError, match="Read-only"):
            await follower.hear(carried)
        assert not publishing.is_cut_off  # it has missed none
        assert page.epoch() == once
        disk.is_writable = True
        assert not (await follower.hear(carried)).lost
        assert page.epoch() == once
        assert follower.place == disk.read_to == Place(feed.log, 1)
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following

    with virtual_time() as loop:
        loop.run_until_complete(followed())
