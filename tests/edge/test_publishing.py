"""What is on disk is in the page, whoever gave up waiting for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from edge.disk_keeper import DiskKeeper
from edge.log_page import Numbered, Place
from edge.orders import PurgeOrder
from edge.publishing import Publishing
from edge.purge_log import read
from edge.purges import Purge, PurgeFollower, PurgeKind, PurgePage


class SlowDisk(DiskKeeper):
    """A disk that takes a while to write."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, 1 << 30)
        self.writing, self.may_end = asyncio.Event(), asyncio.Event()

    async def record(self, purges: Sequence[Any], **others: Any) -> None:
        await super().record(purges, **others)
        self.writing.set()
        await self.may_end.wait()


def tag(name: str) -> PurgeOrder:
    return PurgeOrder(kind=PurgeKind.TAG, values=(name.encode(),))


async def at_once(_behind: object) -> None:
    """There are no workers."""


@pytest.mark.parametrize("numbered", [False, True])
async def test_who_gives_up_leaves_no_purge_half_published(tmp_path: Path, numbered: bool) -> None:
    disk = SlowDisk(tmp_path)
    page = PurgePage.create(workers=1, sequence=disk.sequence)
    publishing = Publishing(page=page, disk=disk, reached=lambda each: each, followed=at_once)
    work = (
        publishing.numbered(Place("log", 7), [Numbered(7, tag("a"))], 0)
        if numbered
        else publishing.order(tag("a"))
    )
    waiting = asyncio.create_task(work)
    await disk.writing.wait()
    waiting.cancel()
    await asyncio.sleep(0)
    disk.may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert page.epoch() == disk.sequence == 1
    if not numbered:
        assert publishing.counting.last_local == 1
    await publishing.order(tag("b"))
    disk.close()
    history = read(tmp_path / "purges")
    assert history is not None
    assert history.sequence == page.epoch() == 2
    page.close()


@pytest.mark.parametrize(("names", "size"), [(8, 10), (2, 1_000)])
async def test_workers_read_what_is_published_before_it_is_overwritten(
    names: int, size: int
) -> None:
    """However many purges a page of the log has, and whatever names rules add to each."""
    page = PurgePage.create(workers=1)
    applied: list[Purge] = []
    worker = PurgeFollower(page, 0, applied.append)

    def reached(order: PurgeOrder) -> PurgeOrder:
        (value,) = order.values
        values = tuple(b"/%d%b" % (n, value.ljust(size, b"x")) for n in range(names))
        return PurgeOrder(kind=order.kind, values=values)

    async def followed(behind: Sequence[int]) -> None:
        if behind:
            worker.catch_up()

    publishing = Publishing(page=page, disk=None, reached=reached, followed=followed)
    purges = [
        Numbered(n, PurgeOrder(kind=PurgeKind.URL, values=(b"/%d" % n,))) for n in range(1, 1_001)
    ]
    receipt = await publishing.numbered(Place("log", 1_000), purges, 0)
    assert receipt.is_complete
    assert {purge.kind for purge in applied} == {PurgeKind.URL}
    assert len(applied) == names * len(purges)
    worker.detach()
    page.close()
