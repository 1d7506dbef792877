"""Edges that follow one purge log, in a real Valkey: each knows how old the others' values are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from edge.purged import Dated, Purged
from edge.purges import Purge, PurgeKind
from edge.region_places import RegionPlaces, RegionPoint
from tests.loopback.test_disk_node import HOST, get, metrics
from tests.support.counting_origin import CountingOrigin, content, counting_origin
from tests.support.edge_node import RunningNode, edge_node, eventually
from tests.support.purge_log import ServedLog, served_log
from tests.support.valkey_rig import KEY, Rig, entry
from tests.support.valkeys import RunningValkey

LOG = b"the-log!"
TAG = b"x"
SIZE = 2_000


class Edge:
    """A tier, and what this edge knows of the log; its own count begins somewhere of its own."""

    def __init__(self, url: str, first: int, number: int = 0) -> None:
        self.places, self.purged = RegionPlaces(), Purged()
        self.sequence, self.number = first, number - 1
        self.rig = Rig(url, places=self.places)
        self.know()

    def know(self, *, log_id: bytes = LOG, tag: bytes = b"") -> None:
        """Publish the next purge of the log."""
        self.sequence += 1
        self.number += 1
        point = RegionPoint(log_id, self.number, self.sequence)
        self.places.note(self.sequence, point)
        purge = Purge(sequence=self.sequence, kind=PurgeKind.TAG, value=tag, point=point)
        self.purged.apply(Dated(purge, 0.0))

    async def write(self, body: bytes, *, began: int | None = None) -> None:
        """Write what was filled by who knew all purges up to now, or up to a sequence."""
        at = self.sequence if began is None else began
        await self.rig.write(entry(body, sequence=at))

    async def read(self) -> bytes | None:
        """What is there and was not purged."""
        held = await self.rig.find()
        if held is None or self.purged.since(held.purge_sequence, KEY, (TAG,)):
            return None
        return await held.read(0)


@asynccontextmanager
async def edges(valkey_server: RunningValkey) -> AsyncIterator[tuple[Edge, Edge]]:
    one, other = Edge(valkey_server.url, 0), Edge(valkey_server.url, 500)
    try:
        yield one, other
    finally:
        await one.rig.close()
        await other.rig.close()


async def test_each_reads_what_the_other_wrote(valkey_server: RunningValkey) -> None:
    async with edges(valkey_server) as (one, other):
        await one.write(b"shared")
        assert await other.read() == b"shared"
        other.know()
        assert await other.read() == b"shared"
        await other.write(b"of 1")
        assert await one.read() == b"of 1"  # by who knows more


async def test_what_was_purged_since_is_a_miss(valkey_server: RunningValkey) -> None:
    async with edges(valkey_server) as (one, other):
        await one.write(b"old")
        other.know(tag=TAG)
        assert await other.read() is None
        one.know(tag=TAG)
        assert await one.read() is None


async def test_what_is_written_late_is_a_miss(valkey_server: RunningValkey) -> None:
    async with edges(valkey_server) as (one, other):
        other.know(tag=TAG)
        await one.write(b"old")  # it does not know of the purge yet
        assert await other.read() is None
        one.know(tag=TAG)
        await one.write(b"old", began=one.sequence - 1)  # nor did it when that was fetched
        assert await one.read() is None
        assert await other.read() is None


async def test_what_is_old_never_takes_the_place_of_what_is_new(
    valkey_server: RunningValkey,
) -> None:
    async with edges(valkey_server) as (one, other):
        other.know(tag=TAG)
        await other.write(b"new")
        await one.write(b"old")
        assert one.rig.counters.valkey_writes_skipped == 1
        assert await other.read() == b"new"


async def test_another_log_and_numbers_from_too_long_ago_say_nothing(
    valkey_server: RunningValkey,
) -> None:
    async with edges(valkey_server) as (one, other):
        await one.write(b"value")
        late = Edge(valkey_server.url, 0, number=1)
        assert await late.rig.find() is None
        await late.rig.close()
        other.know(log_id=b"another!")
        assert await other.rig.find() is None
        await other.write(b"value", began=other.sequence - 1)
        assert other.rig.counters.valkey_writes == 0  # nobody could tell what it comes after


async def test_who_knows_no_log_shares_nothing(valkey_server: RunningValkey) -> None:
    rig = Rig(valkey_server.url, places=RegionPlaces())
    await rig.write(entry(b"value"))
    assert (await rig.find(), valkey_server.names()) == (None, [])
    await rig.close()


# real nodes


@contextmanager
def region(log: ServedLog, origin: CountingOrigin, valkey_server: RunningValkey) -> Iterator[Any]:
    options = ("--redis", valkey_server.url, "--purge-log", log.url)
    with edge_node(origin.url, *options) as one, edge_node(origin.url, *options) as other:
        yield one, other


def push(node: RunningNode, log: ServedLog, after: int) -> None:
    answer = node.admin("POST", "/purge", json=log.message(after))
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert (said["log"], said["edge"], said["region"]) == (log.name, "north", "north")
    assert said["number"] == len(log.purges)


def written(node: RunningNode) -> float:
    return metrics(node)["valkey_writes_total", "written"]


def version(node: RunningNode, path: str) -> int:
    got = node.get(f"{path}?size={SIZE}", headers={"host": HOST})
    return next(each for each in (1, 2, 3) if got.content == content(path, each, SIZE))


def test_a_second_edge_is_answered_by_what_the_first_one_brought(
    valkey_server: RunningValkey,
) -> None:
    with (
        served_log() as log,
        counting_origin() as origin,
        region(log, origin, valkey_server) as (one, other),
    ):
        paths = [f"/s/{number}" for number in range(10)]
        for path in paths:
            get(one, f"{path}?size={SIZE}", size=SIZE)
        eventually(lambda: written(one) == len(paths), "values in Valkey")
        said = [get(other, f"{path}?size={SIZE}", size=SIZE) for path in paths]
        found = sum("detail=valkey" in each for each in said)
        counted = metrics(other)
        skipped = counted["valkey_reads_total", "skipped"] + counted["valkey_errors_total",]
        assert found >= len(paths) - skipped
        assert sum(origin.asked.values()) <= 2 * len(paths) - found


def test_nobody_serves_what_was_purged_at_the_log(valkey_server: RunningValkey) -> None:
    with (
        served_log() as log,
        counting_origin() as origin,
        region(log, origin, valkey_server) as (one, other),
    ):
        assert version(other, "/p/x") == 1
        eventually(lambda: written(other) == 1, "a value in Valkey")
        origin.version = 2
        log.tag("tag-p")
        push(one, log, 0)
        assert version(one, "/p/x") == 2
        push(other, log, 0)
        assert version(other, "/p/x") == 2
        origin.version = 3
        log.purge("prefix", "/p/")
        push(other, log, 1)
        push(one, log, 1)
        assert [version(one, "/p/x"), version(other, "/p/x")] == [3, 3]


def test_an_edge_that_begins_anew_uses_what_is_there_and_not_what_was_purged(
    valkey_server: RunningValkey,
) -> None:
    with served_log() as log, counting_origin() as origin:
        options = ("--redis", valkey_server.url, "--purge-log", log.url)
        log.tag("before")
        with edge_node(origin.url, *options) as node:
            assert [version(node, path) for path in ("/p/x", "/q/x")] == [1, 1]
            eventually(lambda: written(node) == 2, "values in Valkey")
        origin.version = 2
        log.tag("tag-p")
        with edge_node(origin.url, *options) as node:
            assert version(node, "/p/x") == 2
            found = node.get(f"/q/x?size={SIZE}", headers={"host": HOST})
            counted = metrics(node)
            skipped = counted["valkey_reads_total", "skipped"] + counted["valkey_errors_total",]
            assert "detail=valkey" in found.headers["cache-status"] or skipped
