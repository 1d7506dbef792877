"""Edges that share a Valkey: what one has fetched another has, until it is purged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from edge.arena import SLICE_BYTES
from edge.disk_files import OBJECTS, file_name
from edge.purges import PurgeKind
from edge.valkey_names import name_of
from tests.support.disk_slices import BODY, KEY, SLICES, SMALL, seek, whole
from tests.support.edges import Asked, Edge, Got, response, running_edge, running_origin, until
from tests.support.ranged_origin import RangedOrigin
from tests.support.valkeys import LIMITS, RunningValkey

LOG_ID = bytes(8)
HASTY = {"redis_wait_s": 0.025, "redis_write_s": 0.25, "redis_probe_s": 0.1}


@asynccontextmanager
async def edge_at(
    origin_url: str, valkey_server: RunningValkey, **others: Any
) -> AsyncIterator[Edge]:
    """An edge of the region: all of them count purges by one log here."""
    async with running_edge(origin_url, redis=valkey_server.url, **(LIMITS | others)) as edge:
        yield edge
        await until(lambda: not edge.worker.memory.fill_bytes)  # all that was found was let go


async def at_rest(edge: Edge) -> None:
    """Wait until nothing is fetched or written any more."""
    tier = edge.worker.opened.valkey
    assert tier is not None
    await until(lambda: not edge.worker.tasks and not tier.writing.tasks)


async def kept(edge: Edge) -> None:
    """Have written what was asked for often enough."""
    tier = edge.worker.opened.valkey
    assert tier is not None
    await at_rest(edge)
    tier.writer.look()  # now, instead of within a second
    await at_rest(edge)


def is_from_valkey(got: Got) -> bool:
    return "hit" in got.says and got.says.endswith("detail=valkey")


VERSION = b"version %d of what was asked for"


class Versions:
    """An origin whose answers tell how often it was asked."""

    def __init__(self, *lines: str) -> None:
        self.lines = lines or ("Cache-Control: max-age=600",)
        self.version = 0

    async def __call__(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        self.version += 1
        writer.write(response(VERSION % self.version, *self.lines))


async def test_what_one_edge_fetched_another_has(valkey_server: RunningValkey) -> None:
    async with (
        running_origin(Versions()) as origin,
        edge_at(origin.url, valkey_server) as one,
        edge_at(origin.url, valkey_server) as other,
    ):
        assert (await one.get("/a")).body == VERSION % 1
        await kept(one)
        got = await other.get("/a")
        assert (got.body, is_from_valkey(got)) == (VERSION % 1, True), got.says
        assert "detail" not in (await other.get("/a")).says  # memory has it now
        assert len(origin.asked) == 1
        assert other.results()["hit-slow"] == 1
        assert other.worker.counters.snapshot()["requests hit-slow valkey fresh"] == 1


PURGES = [
    (PurgeKind.URL, b"http://edge.test/a"),
    (PurgeKind.PREFIX, b"/a"),
    (PurgeKind.TAG, b"news"),
    (PurgeKind.ALL, b""),
]


@pytest.mark.parametrize(("kind", "value"), PURGES)
async def test_what_is_purged_is_served_by_nobody_who_knows(
    valkey_server: RunningValkey, kind: PurgeKind, value: bytes
) -> None:
    script = Versions("Cache-Control: max-age=600", "Surrogate-Key: news")
    async with (
        running_origin(script) as origin,
        edge_at(origin.url, valkey_server) as one,
        edge_at(origin.url, valkey_server) as other,
    ):
        await one.get("/a")
        await kept(one)
        other.purge(kind, value)
        assert (await other.get("/a")).body == VERSION % 2
        await kept(other)
        one.purge(kind, value)
        got = await one.get("/a")  # what the other wrote began after this purge
        assert (got.body, is_from_valkey(got)) == (VERSION % 2, True), got.says


async def test_what_is_purged_softly_is_stale(valkey_server: RunningValkey) -> None:
    async with (
        running_origin(Versions()) as origin,
        edge_at(origin.url, valkey_server) as one,
        edge_at(origin.url, valkey_server) as other,
    ):
        await one.get("/a")
        await kept(one)
        other.purge(PurgeKind.URL, b"http://edge.test/a", soft=True)
        assert (await other.get("/a")).body == VERSION % 2


async def test_who_does_not_know_what_was_purged_before_asks(valkey_server: RunningValkey) -> None:
    async with running_origin(Versions()) as origin:
        async with edge_at(origin.url, valkey_server) as one:
            await one.get("/a")
            await kept(one)
        async with running_edge(
            origin.url, redis=valkey_server.url, log_id=b"another8", **LIMITS
        ) as stranger:
            assert (await stranger.get("/a")).body == VERSION % 2


async def test_a_stale_value_is_validated(valkey_server: RunningValkey) -> None:
    script = RangedOrigin(b"a body" * 20_000, lines=("Cache-Control: max-age=0",))
    async with (
        running_origin(script) as origin,
        edge_at(origin.url, valkey_server) as one,
        edge_at(origin.url, valkey_server) as other,
    ):
        await one.get("/a")
        await kept(one)
        got = await other.get("/a")
        assert got.body == script.body
        assert "fwd-status=304" in got.says
        assert len(script.parts) == 1


async def test_a_film_is_fetched_once_for_all_edges(valkey_server: RunningValkey) -> None:
    script = RangedOrigin(BODY)
    async with running_origin(script) as origin:
        async with edge_at(origin.url, valkey_server) as one:
            for _ in range(2):
                await whole(one)
            await kept(one)
        assert len(valkey_server.names()) == 1 + SLICES
        asked = len(origin.asked)
        async with edge_at(origin.url, valkey_server) as other:
            assert is_from_valkey(await seek(other, 5))
            await at_rest(other)
            assert is_from_valkey(await whole(other))
            await at_rest(other)
            assert "detail" not in (await whole(other)).says
        async with edge_at(origin.url, valkey_server, memory_bytes=SMALL) as small:
            assert is_from_valkey(await whole(small))
            assert is_from_valkey(await seek(small, 1))
        assert len(origin.asked) == asked


async def test_what_is_missing_or_damaged_comes_from_the_origin(
    valkey_server: RunningValkey,
) -> None:
    script = RangedOrigin(BODY)
    async with running_origin(script) as origin:
        async with edge_at(origin.url, valkey_server) as one:
            for _ in range(2):
                await whole(one)
            await kept(one)
        damaged = name_of(LOG_ID, KEY, b"", 6).text
        value = bytearray(valkey_server.ask("GET", damaged))
        value[-1] ^= 1
        valkey_server.ask("SET", damaged, bytes(value))
        valkey_server.ask("DEL", name_of(LOG_ID, KEY, b"", 3).text)
        script.parts.clear()
        async with edge_at(origin.url, valkey_server) as other:
            await whole(other)
        assert sum(last + 1 - first for first, last in script.parts) <= 4 * SLICE_BYTES


async def test_slices_that_edges_lack_are_added(valkey_server: RunningValkey) -> None:
    script = RangedOrigin(BODY)
    async with running_origin(script) as origin:
        async with edge_at(origin.url, valkey_server) as one:
            for _ in range(2):
                await seek(one, 2)
                await at_rest(one)
            await kept(one)
        async with edge_at(origin.url, valkey_server) as other:
            assert is_from_valkey(await seek(other, 2))
            await at_rest(other)
            await seek(other, 7)
            await kept(other)
        assert valkey_server.ask("EXISTS", name_of(LOG_ID, KEY, b"", 2).text)
        assert valkey_server.ask("EXISTS", name_of(LOG_ID, KEY, b"", 7).text)


async def test_nobody_waits_for_a_paused_server(valkey_server: RunningValkey) -> None:
    async with (
        running_origin(Versions()) as origin,
        edge_at(origin.url, valkey_server, **HASTY) as edge,
    ):
        await edge.get("/hot")
        with valkey_server.paused():
            for number in range(12):
                assert (await edge.get(f"/{number}")).status == 200
                assert "hit; ttl=" in (await edge.get("/hot")).says
            counters = edge.worker.counters
            assert counters.valkey_skipped >= 12
            assert counters.snapshot()["requests miss origin compulsory"] == 13


async def test_what_valkey_had_goes_to_an_empty_disk(
    valkey_server: RunningValkey, tmp_path: Path
) -> None:
    file = tmp_path / OBJECTS / file_name(b"http://edge.test/a")
    async with running_origin(Versions()) as origin:
        async with edge_at(origin.url, valkey_server, disk=tmp_path) as edge:
            await edge.get("/a")
            await kept(edge)
            assert not file.exists()  # it was asked for once
        async with edge_at(origin.url, valkey_server, disk=tmp_path) as edge:
            assert is_from_valkey(await edge.get("/a"))
            assert "detail" not in (await edge.get("/a")).says
            assert edge.worker.opened.disk is not None
            edge.worker.opened.disk.writer.look()  # now, instead of within a second
            await until(file.exists)
            assert edge.worker.counters.valkey_writes == 0
        async with edge_at(origin.url, valkey_server, disk=tmp_path) as edge:
            assert "detail=disk" in (await edge.get("/a")).says
        assert len(origin.asked) == 1
