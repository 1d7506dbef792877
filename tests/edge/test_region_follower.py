"""How a node follows the log when reading it does not even fail."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from edge.log_page import LogPage
from edge.publishing import Publishing
from edge.purges import PurgePage
from edge.region_follower import HANGING_S, RegionFollower
from edge.settings import Limits
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
