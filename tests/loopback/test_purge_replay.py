"""A node reads what was purged in its region before it serves, and from then on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge import purge_log
from edge.disk_keeper import DiskKeeper
from edge.log_page import FeedError, Place, read_carried
from edge.orders import PurgeOrder
from edge.publishing import Publishing
from edge.purge_feed import PurgeFeed
from edge.purges import Purge, PurgeKind, PurgePage
from edge.region_follower import LOOK_BACK, RegionFollower
from edge.region_places import RegionPlaces, log_id_of
from edge.settings import Limits
from tests.loopback.test_disk_node import HOST, have_on_disk
from tests.support.counting_origin import content, counting_origin
from tests.support.edge_node import TOKEN, edge_node
from tests.support.edges import until
from tests.support.purge_log import LOG, ServedLog, served_log

KEY = b"http://edge.test/x"
NOBODY_S = 0.3  # long enough to find nobody there


@dataclass
class Supervisor:
    """What of one has to do with purges; it has no workers."""

    follower: RegionFollower
    publishing: Publishing

    @property
    def sequence(self) -> int:
        return self.publishing.page.epoch()

    def published(self, after: int = 0) -> list[Purge]:
        return [each for each in self.publishing.page.history() if each.sequence > after]

    def values(self, after: int = 0) -> list[bytes]:
        return [each.value for each in self.published(after)]

    def places(self) -> RegionPlaces:
        """As a worker that begins now has them."""
        disk = self.publishing.disk
        known = RegionPlaces() if disk is None else disk.places
        for purge in self.published():
            if purge.point is not None:
                known.note(purge.sequence, purge.point)
        return known

    def is_purged(self, since: int, *tags: bytes) -> bool:
        assert self.publishing.disk is not None
        return self.publishing.disk.purged.since(since, KEY, tags)


async def at_once(_behind: object) -> None:
    """There are no workers."""


@asynccontextmanager
async def supervisor(
    log: ServedLog, root: Path | None = None, limit_s: float = 20.0, **limits: float
) -> AsyncIterator[Supervisor]:
    keeper = None if root is None else DiskKeeper(root, 1 << 30)
    page = PurgePage.create(workers=1, sequence=0 if keeper is None else keeper.sequence)
    publishing = Publishing(page=page, disk=keeper, reached=lambda order: order, followed=at_once)
    feed = PurgeFeed(log.url, TOKEN)
    limits = Limits(purge_log_s=limit_s, purge_log_every_s=0.01, **limits)
    follower = RegionFollower(feed, publishing, limits)
    await follower.begin()
    try:
        yield Supervisor(follower, publishing)
    finally:
        await feed.close()
        page.close()
        if keeper is not None:
            keeper.close()


async def test_what_was_missed_is_replayed_page_by_page(tmp_path: Path) -> None:
    with served_log() as log:
        log.tag("old")
        async with supervisor(log, tmp_path) as first:
            began = first.sequence
        log.tag("a", "b", "c", "d", "e")
        async with supervisor(log, tmp_path) as second:
            assert second.sequence == began + 5
            assert all(second.is_purged(began, tag.encode()) for tag in "abcde")
            assert not second.is_purged(began, b"old")
            assert second.follower.place == Place(LOG, 6)
            places = second.places()
            assert places.log_id == log_id_of(LOG)
            assert [places.number_of(began + more) for more in (0, 1, 5)] == [1, 2, 6]
        async with supervisor(log, tmp_path) as third:
            assert third.sequence == began + 5
            assert third.places().number_of(third.sequence) == 6


async def test_without_a_disk_the_end_of_the_log_is_read_before_serving() -> None:
    with served_log() as log:
        log.page_max = 1_000
        log.tag(*(f"t{number}" for number in range(LOOK_BACK + 10)))
        async with supervisor(log) as node:
            assert node.values()[1:] == [b"t%d" % number for number in range(10, LOOK_BACK + 10)]
            places = node.places()
            assert places.sequence_of(9) is None
            assert places.sequence_of(10) == 1
            assert places.sequence_of(LOOK_BACK + 10) == node.sequence


async def test_a_log_in_which_nothing_is_yet_can_be_counted_in() -> None:
    with served_log() as log:
        async with supervisor(log) as node:
            places = node.places()
            assert (places.number_of(node.sequence), places.sequence_of(0)) == (0, node.sequence)


async def test_without_the_log_the_disk_starts_empty(tmp_path: Path) -> None:
    with served_log() as log:
        async with supervisor(log, tmp_path) as before:
            began, place = before.sequence, before.follower.place
        log.status = 503
        async with supervisor(log, tmp_path, NOBODY_S) as node:
            assert node.is_purged(began)
            assert node.follower.place == place
            empty = node.sequence
        log.status = 200
        log.tag("late")
        async with supervisor(log, tmp_path) as later:
            assert later.is_purged(empty, b"late")
            assert not later.is_purged(empty, b"other")


async def test_a_log_that_comes_back_in_time_is_waited_for(tmp_path: Path) -> None:
    with served_log() as log:
        async with supervisor(log, tmp_path) as before:
            began = before.sequence
        log.status = 503
        log.tag("a")

        async def repair() -> None:
            await until(lambda: log.asked > 3)
            log.status = 200

        repairing = asyncio.create_task(repair())
        async with supervisor(log, tmp_path) as node:
            assert node.is_purged(began, b"a")
            assert not node.is_purged(began, b"b")
        await repairing


async def test_all_kinds_are_purged_while_serving() -> None:
    with served_log() as log:
        async with supervisor(log) as node:
            began = node.sequence
            following = asyncio.create_task(node.follower.run())
            log.tag("a")
            log.purge("url", "http://h/x", soft=True)
            log.purge("prefix", "/v/")
            log.purge("all")
            await until(lambda: node.follower.place == Place(LOG, 4))
            following.cancel()
            assert [(each.kind, each.value, each.soft) for each in node.published(began)] == [
                (PurgeKind.TAG, b"a", False),
                (PurgeKind.URL, b"http://h/x", True),
                (PurgeKind.PREFIX, b"/v/", False),
                (PurgeKind.ALL, b"", False),
            ]


@pytest.mark.parametrize("how", ["another log", "too far back", "from the future"])
async def test_a_log_that_does_not_go_on_empties_the_edge(how: str, tmp_path: Path) -> None:
    with served_log() as log:
        log.tag("a", "b")
        async with supervisor(log, tmp_path) as node:
            began = node.sequence
            if how == "another log":
                log.name = "fedcba9876543210"
            elif how == "too far back":
                log.tag("c", "d")
                log.floor = 3
            else:
                log.purges.pop()
            await node.follower.read()
            assert node.is_purged(began)
            assert node.follower.place == Place(log.name, len(log.purges))
            places = node.places()
            assert places.number_of(began) in (None, 2)
            assert places.number_of(node.sequence) == len(log.purges)


async def test_after_a_start_without_the_log_nothing_is_trusted() -> None:
    with served_log() as log:
        log.status = 503
        async with supervisor(log, limit_s=NOBODY_S) as node:
            log.status = 200
            await node.follower.read()
            assert node.published()[0].kind is PurgeKind.ALL


async def test_what_a_carrier_brings_is_published_without_reading() -> None:
    with served_log() as log:
        async with supervisor(log) as node:
            asked = log.asked
            log.tag("a")
            log.tag("b")
            carried = read_carried(log.message(0))
            receipt = await node.follower.hear(carried)
            assert receipt.is_complete
            again = await node.follower.hear(carried)
            assert again.sequence == receipt.sequence == node.sequence
            log.tag("c")
            await node.follower.hear(read_carried(log.message(1)))  # some of it is known
            assert node.values(1) == [b"a", b"b", b"c"]
            assert log.asked == asked


async def test_what_does_not_join_up_is_read_in_the_log() -> None:
    with served_log() as log:
        async with supervisor(log) as node:
            log.tag("a", "b", "c")
            await node.follower.hear(read_carried(log.message(2)))
            assert node.values(1) == [b"a", b"b", b"c"]
            log.tag("d")
            await node.follower.hear(read_carried({"log": LOG, "after": 3, "number": 4}))
            assert node.values(4) == [b"d"]
            log.name = "fedcba9876543210"
            await node.follower.hear(read_carried(log.message(3)))
            assert node.follower.place == Place(log.name, 4)


async def test_what_cannot_be_read_is_not_acknowledged() -> None:
    with served_log() as log:
        async with supervisor(log) as node:
            log.tag("a", "b")
            log.status = 503
            with pytest.raises(FeedError):
                await node.follower.hear(read_carried(log.message(1)))
            log.status = 200
            ahead = {"log": LOG, "after": 7, "number": 9}
            with pytest.raises(FeedError, match="ahead"):
                await node.follower.hear(read_carried(ahead))


async def test_what_the_disk_cannot_note_is_noted_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served_log() as log:
        async with supervisor(log, tmp_path) as node:

            def full(*_args: object) -> None:
                raise OSError(28, "No space left on device")

            log.tag("a")
            with monkeypatch.context() as patched:
                patched.setattr(purge_log, "_write_all", full)
                patched.setattr(purge_log, "_sync_directory", full)
                for _ in range(2):
                    with pytest.raises(FeedError, match="No space"):
                        await node.follower.hear(read_carried(log.message(0)))
            assert node.follower.place == Place(LOG, 0)
            await node.follower.hear(read_carried(log.message(0)))
            assert node.values(1) == [b"a"]  # the workers heard of it once
            assert node.follower.place == Place(LOG, 1)
            history = purge_log.read(tmp_path / "purges")
            assert history is not None
            assert history.read_to == Place(LOG, 1)
            assert [each.purge.value for each in history.purged] == node.values()


async def test_orders_of_the_edge_have_no_number(tmp_path: Path) -> None:
    with served_log() as log:
        async with supervisor(log, tmp_path) as node:
            log.tag("a")
            await node.publishing.order(PurgeOrder(kind=PurgeKind.TAG, values=(b"x", b"y")))
            local = node.sequence
            await node.follower.hear(read_carried(log.message(0)))
            assert [each.point is None for each in node.published()] == [False, True, True, False]
            sequence = node.places().sequence_of(1)
            assert sequence is not None
            assert sequence < local  # it may have been logged before
        async with supervisor(log, tmp_path) as later:
            assert later.places().sequence_of(1) == sequence
            log.tag("b")
            await later.follower.hear(read_carried(log.message(1)))
            assert later.places().sequence_of(2) == later.sequence


def test_a_node_replays_before_it_serves(tmp_path: Path) -> None:
    root = tmp_path / "disk"
    with served_log() as log, counting_origin() as origin:
        options = ("--disk", str(root), "--purge-log", log.url)
        with edge_node(origin.url, *options) as node:
            have_on_disk(node, root, ("/d/replayed", 1_000), ("/kept/x", 1_000))
        origin.version = 2
        log.tag("tag-d")
        with edge_node(origin.url, *options) as node:
            fields = {"host": HOST}
            got = node.get("/d/replayed?size=1000", headers=fields)
            assert got.content == content("/d/replayed", 2, 1_000)
            kept = node.get("/kept/x?size=1000", headers=fields)
            assert kept.content in [content("/kept/x", version, 1_000) for version in (1, 2)]
