"""Slices on disk: a seek costs those it needs, and what memory cannot hold is served from there."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from edge.arena import SLICE_BYTES
from edge.purges import PurgeKind
from edge.record import SLICED, WHOLE
from edge.settings import MIB
from tests.support.disk_slices import (
    BODY,
    KEY,
    SLICES,
    SMALL,
    at_rest,
    have_all_slices,
    have_slices,
    have_whole_file,
    is_from_disk,
    parts_on_disk,
    seek,
    seek_again,
    slice_file,
    whole,
)
from tests.support.edges import Asked, Edge, running_edge, running_origin, until
from tests.support.ranged_origin import RangedOrigin

LAST_BYTES = len(BODY) % SLICE_BYTES


async def test_a_seek_into_a_large_file_costs_the_slices_it_needs(tmp_path: Path) -> None:
    async with running_origin(RangedOrigin(BODY)) as origin:
        async with running_edge(origin.url, disk=tmp_path) as edge:
            await have_whole_file(edge, tmp_path)
        asked = len(origin.asked)
        async with running_edge(origin.url, disk=tmp_path) as edge:
            assert is_from_disk(await seek(edge, 5))
            await at_rest(edge)
            assert edge.worker.counters.disk_bytes <= 2 * SLICE_BYTES
            before = edge.worker.counters.disk_bytes
            assert "hit; ttl=" in (await seek(edge, 5)).says
            assert is_from_disk(await seek(edge, 9))
            assert edge.worker.counters.disk_bytes == before + LAST_BYTES
            assert edge.worker.memory.used_bytes < 4 * MIB
            await whole(edge)
            await at_rest(edge)
            assert edge.worker.counters.disk_bytes == len(BODY)
        assert len(origin.asked) == asked
        assert parts_on_disk(tmp_path) == [WHOLE]


async def test_slices_outlive_the_edge_and_are_combined(tmp_path: Path) -> None:
    script = RangedOrigin(BODY)
    async with running_origin(script) as origin:
        async with running_edge(origin.url, disk=tmp_path) as edge:
            await have_slices(edge, tmp_path, 2, 6)
        script.parts.clear()
        async with running_edge(origin.url, disk=tmp_path) as edge:
            assert is_from_disk(await seek(edge, 6))
            assert is_from_disk(await seek(edge, 2))
            assert script.parts == []
            got = await seek(edge, 3)
            assert "fwd=partial" in got.says
            assert script.parts == [(3 * SLICE_BYTES, 4 * SLICE_BYTES - 1)]
            assert origin.asked[-1].get("if-range") == b'"v1"'
            await whole(edge)
            await at_rest(edge)
        assert len(script.parts) == SLICES - 2
        async with running_edge(origin.url, disk=tmp_path) as edge:
            await until(lambda: parts_on_disk(tmp_path) == [SLICED, *range(SLICES)])
            assert is_from_disk(await whole(edge))
        assert len(script.parts) == SLICES - 2


async def test_what_memory_cannot_hold_goes_to_disk_and_is_served_from_there(
    tmp_path: Path,
) -> None:
    script = RangedOrigin(BODY)
    async with running_origin(script) as origin:
        async with running_edge(origin.url, disk=tmp_path, memory_bytes=SMALL) as edge:
            await whole(edge)
            assert parts_on_disk(tmp_path) == []
            await have_all_slices(edge, tmp_path)
            asked = len(origin.asked)
            for _ in range(2):
                assert is_from_disk(await whole(edge)) or edge.worker.counters.hits
            assert edge.worker.memory.used_bytes <= SMALL
            assert is_from_disk(await seek(edge, 0))
        async with running_edge(origin.url, disk=tmp_path, memory_bytes=SMALL) as edge:
            assert is_from_disk(await whole(edge))
            assert is_from_disk(await seek(edge, 1))
        assert len(origin.asked) == asked


async def test_what_is_purged_before_it_begins_passes_and_says_why(tmp_path: Path) -> None:
    ranged, go_on = RangedOrigin(BODY), asyncio.Event()
    go_on.set()

    async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await go_on.wait()
        await ranged(asked, writer)

    async with (
        running_origin(script) as origin,
        running_edge(origin.url, disk=tmp_path, memory_bytes=SMALL) as edge,
    ):
        await whole(edge)
        go_on.clear()
        passing = asyncio.create_task(whole(edge))
        await until(lambda: len(origin.asked) == 2)
        await edge.purge_for_good(PurgeKind.ALL)
        go_on.set()
        assert "detail=object-too-large" in (await passing).says


async def test_without_ranges_at_the_origin_it_is_kept_all_the_same(tmp_path: Path) -> None:
    script = RangedOrigin(BODY, ranges=False)
    async with (
        running_origin(script) as origin,
        running_edge(origin.url, disk=tmp_path, memory_bytes=SMALL) as edge,
    ):
        await have_all_slices(edge, tmp_path)
        asked = len(origin.asked)
        assert is_from_disk(await whole(edge))
        assert len(origin.asked) == asked
        slice_file(tmp_path, 8).unlink()
        await whole(edge)  # one slice costs what comes before it once more
        assert len(origin.asked) == asked + 1


async def test_a_crowd_that_asks_for_what_memory_cannot_hold(tmp_path: Path) -> None:
    script = RangedOrigin(BODY)
    async with (
        running_origin(script) as origin,
        running_edge(origin.url, disk=tmp_path, memory_bytes=SMALL) as edge,
    ):
        await asyncio.gather(*(whole(edge) for _ in range(6)))
        await at_rest(edge)
        await asyncio.gather(*(whole(edge) for _ in range(6)))
        bytes_fetched = edge.worker.counters.fill_bytes
        # one was alone at first, perhaps; from then on each slice comes once
        assert bytes_fetched <= 3 * len(BODY), script.parts
        await at_rest(edge)
        assert edge.worker.memory.fill_bytes == 0


ORDERS = [
    (PurgeKind.URL, KEY),
    (PurgeKind.URL, b"/film"),
    (PurgeKind.PREFIX, b"/fi"),
    (PurgeKind.TAG, b"films"),
    (PurgeKind.ALL, b""),
]


@pytest.mark.parametrize("restarts", [False, True], ids=["runs on", "restarts"])
@pytest.mark.parametrize(("kind", "value"), ORDERS, ids=str)
async def test_a_purge_reaches_slices(
    tmp_path: Path, kind: PurgeKind, value: bytes, restarts: bool
) -> None:
    lines = ("Cache-Control: max-age=600", "Surrogate-Key: films other")
    script = RangedOrigin(BODY, lines=lines)

    async def see_it_gone(edge: Edge) -> None:
        script.parts.clear()
        for number in (2, 6):
            assert not is_from_disk(await seek(edge, number))
        assert len(script.parts) == 2

    async with running_origin(script) as origin:
        async with running_edge(origin.url, disk=tmp_path) as edge:
            await have_slices(edge, tmp_path, 2, 6)
            await edge.purge_for_good(kind, value)
            if not restarts:
                await see_it_gone(edge)
        if restarts:
            async with running_edge(origin.url, disk=tmp_path) as edge:
                await see_it_gone(edge)


async def test_an_old_slice_under_a_new_head_stays_purged(tmp_path: Path) -> None:
    script = RangedOrigin(BODY)
    async with running_origin(script) as origin:
        async with running_edge(origin.url, disk=tmp_path) as edge:
            await have_slices(edge, tmp_path, 2, 6)
            await edge.purge_for_good(PurgeKind.URL, KEY)
            old = slice_file(tmp_path, 6).read_bytes()
            await seek_again(edge, 2)
            await until(lambda: edge.worker.counters.disk_writes >= 5)
            await at_rest(edge)
        slice_file(tmp_path, 6).write_bytes(old)
        script.parts.clear()
        async with running_edge(origin.url, disk=tmp_path) as edge:
            assert is_from_disk(await seek(edge, 2))
            assert not is_from_disk(await seek(edge, 6))
        assert script.parts == [(6 * SLICE_BYTES, 7 * SLICE_BYTES - 1)]


async def test_slices_of_another_representation_are_not_combined(tmp_path: Path) -> None:
    script = RangedOrigin(BODY)
    async with (
        running_origin(script) as origin,
        running_edge(origin.url, disk=tmp_path) as edge,
    ):
        await have_slices(edge, tmp_path, 2, 6)
        await edge.purge_for_good(PurgeKind.URL, KEY)
        old = {number: slice_file(tmp_path, number).read_bytes() for number in (2, 6)}
        script.etag, script.body = '"v2"', BODY.replace(b"0", b"x")
        got = await edge.get("/film", f"Range: bytes={2 * SLICE_BYTES}-{2 * SLICE_BYTES + 9}")
        assert got.body == script.body[2 * SLICE_BYTES : 2 * SLICE_BYTES + 10]
        await at_rest(edge)
        for number, data in old.items():
            slice_file(tmp_path, number).write_bytes(data)
        assert (await edge.get("/film")).body == script.body


async def test_what_was_begun_and_is_nowhere_else_any_more_is_forgotten(tmp_path: Path) -> None:
    """Else each player would get the beginning that is on disk, and be cut off after it."""
    script = RangedOrigin(BODY)
    async with running_origin(script) as origin:
        async with running_edge(origin.url, disk=tmp_path) as edge:
            await have_slices(edge, tmp_path, 0)
        script.etag, script.body = '"v2"', BODY.replace(b"0", b"x")
        async with running_edge(origin.url, disk=tmp_path) as edge:
            first = await edge.get("/film")
            assert (first.whole, first.body) == (False, BODY[: len(first.body)])
            await at_rest(edge)
            await until(lambda: SLICED not in parts_on_disk(tmp_path))  # a thread removes it
            again = await edge.get("/film")
            assert (again.whole, again.body) == (True, script.body)


async def test_variants_have_slices_of_their_own(tmp_path: Path) -> None:
    lines = ("Cache-Control: max-age=600", "Vary: Accept-Language")
    script = RangedOrigin(BODY, lines=lines)
    async with running_origin(script) as origin:
        async with running_edge(origin.url, disk=tmp_path) as edge:
            for language, number in (("tr", 2), ("de", 6)):
                await seek_again(edge, number, f"Accept-Language: {language}")
            # a head and a slice of each, and one signpost
            await until(lambda: len(parts_on_disk(tmp_path)) == 5)
            await at_rest(edge)
        script.parts.clear()
        async with running_edge(origin.url, disk=tmp_path) as edge:
            assert is_from_disk(await seek(edge, 2, "Accept-Language: tr"))
            assert is_from_disk(await seek(edge, 6, "Accept-Language: de"))
            assert script.parts == []
            assert not is_from_disk(await seek(edge, 6, "Accept-Language: tr"))


async def test_a_stale_head_is_validated_once_and_its_slices_stay(tmp_path: Path) -> None:
    script = RangedOrigin(BODY)
    async with running_origin(script) as origin:
        async with running_edge(origin.url, disk=tmp_path) as edge:
            await have_slices(edge, tmp_path, 2, 6)
            await edge.purge_for_good(PurgeKind.ALL, soft=True)
        script.parts.clear()
        async with running_edge(origin.url, disk=tmp_path) as edge:
            got = await seek(edge, 6)
            assert "fwd=stale; fwd-status=304" in got.says or is_from_disk(got)
            assert is_from_disk(await seek(edge, 2))
            assert origin.asked[-1].get("if-none-match") == b'"v1"'
            assert script.parts == []
            await at_rest(edge)
        asked = len(origin.asked)
        async with running_edge(origin.url, disk=tmp_path) as edge:  # the new head is on disk, too
            assert is_from_disk(await seek(edge, 6))
        assert len(origin.asked) == asked


@pytest.mark.parametrize("fails", ["gone", "503"])
async def test_stale_slices_answer_when_the_origin_cannot(tmp_path: Path, fails: str) -> None:
    script = RangedOrigin(BODY, lines=("Cache-Control: max-age=600, stale-if-error=600",))
    is_down = False

    async def origin_script(asked, writer):  # type: ignore[no-untyped-def]
        if not is_down:
            await script(asked, writer)
        elif fails == "gone":
            writer.close()
        else:
            writer.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")

    async with running_origin(origin_script) as origin:
        async with running_edge(origin.url, disk=tmp_path) as edge:
            await have_slices(edge, tmp_path, 2, 6)
            await edge.purge_for_good(PurgeKind.ALL, soft=True)
        is_down = True
        async with running_edge(origin.url, disk=tmp_path) as edge:
            assert "stale-if-error" in (await seek(edge, 6)).says
            assert "stale-if-error" in (await seek(edge, 2)).says
            got = await edge.get("/film", "Range: bytes=0-9")
            assert got.status >= 500  # nobody has that slice


# what needs no body, and what must not be forwarded


async def test_a_head_request_is_answered_from_disk(tmp_path: Path) -> None:
    async with running_origin(RangedOrigin(BODY)) as origin:
        async with running_edge(origin.url, disk=tmp_path) as edge:
            await have_whole_file(edge, tmp_path)
        asked = len(origin.asked)
        async with running_edge(origin.url, disk=tmp_path) as edge:
            got = await edge.get("/film", method="HEAD")
            assert (got.status, got.get("content-length")) == (200, b"%d" % len(BODY))
            assert is_from_disk(got)
            got = await edge.get("/film", 'If-None-Match: "v1"', method="HEAD")
            assert got.status == 304
            assert len(origin.asked) == asked
            await edge.get("/other", method="HEAD")
            assert len(origin.asked) == asked + 1


@pytest.mark.parametrize("kept", ["whole", "slices"])
async def test_only_if_cached_looks_on_disk(tmp_path: Path, kept: str) -> None:
    only = "Cache-Control: only-if-cached"
    async with running_origin(RangedOrigin(BODY)) as origin:
        async with running_edge(origin.url, disk=tmp_path) as edge:
            if kept == "whole":
                await have_whole_file(edge, tmp_path)
            else:
                await have_slices(edge, tmp_path, 2, 6)
        asked = len(origin.asked)
        async with running_edge(origin.url, disk=tmp_path) as edge:
            assert is_from_disk(await seek(edge, 6, only))
            assert is_from_disk(await seek(edge, 2, only))
            if kept == "whole":
                await whole(edge, only)
            else:
                assert (await edge.get("/film", only)).status == 504
            assert (await edge.get("/other", only)).status == 504
            assert len(origin.asked) == asked
