"""Tags that rules give: what they name on disk is purged, whichever rules are in force later."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from edge.purges import PurgeKind
from tests.support.disk_slices import BODY, have_slices, is_from_disk, seek
from tests.support.edges import Asked, Edge, Got, response, running_edge, running_origin, until
from tests.support.ranged_origin import RangedOrigin
from tests.support.rules import rules

TAGGED = rules("rules: [{name: a, set: {tags: news}}]")
OTHER = rules("rules: [{name: a, set: {tags: other}}]")


async def script(_: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(response(b"story", "Cache-Control: max-age=600"))


async def have_on_disk(edge: Edge) -> None:
    """Have `/story` on disk: it is written when it is asked for again."""
    for _ in range(3):
        await edge.get("/story")
    await until(lambda: edge.worker.counters.disk_writes == 1)


async def answered(path: Path, url: str, policies: dict[str, object] | None) -> Got:
    async with running_edge(url, disk=path, policies=policies) as edge:
        return await edge.get("/story")


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize(
    ("before", "after"),
    [(TAGGED, TAGGED), (TAGGED, None), (TAGGED, OTHER), (None, TAGGED), (OTHER, TAGGED)],
    ids=["kept", "taken", "changed", "given", "changed-to"],
)
async def test_what_a_tag_named_before_or_names_now_is_purged(
    tmp_path: Path, before: dict[str, object], after: dict[str, object], soft: bool
) -> None:
    async with running_origin(script) as origin:
        async with running_edge(origin.url, disk=tmp_path, policies=before) as edge:
            await have_on_disk(edge)
            await edge.purge_for_good(PurgeKind.TAG, b"news", soft=soft)
        got = await answered(tmp_path, origin.url, after)
        assert not got.says.startswith("amaro-edge; hit"), got.says
        assert len(origin.asked) == 2


async def test_another_tag_purges_nothing(tmp_path: Path) -> None:
    async with running_origin(script) as origin:
        async with running_edge(origin.url, disk=tmp_path, policies=TAGGED) as edge:
            await have_on_disk(edge)
            await edge.purge_for_good(PurgeKind.TAG, b"other")
        assert is_from_disk(await answered(tmp_path, origin.url, None))
        assert len(origin.asked) == 1


async def test_it_stays_purged_when_rules_change_while_it_is_there(tmp_path: Path) -> None:
    async with (
        running_origin(script) as origin,
        running_edge(origin.url, disk=tmp_path, policies=TAGGED) as edge,
    ):
        await have_on_disk(edge)
        await edge.purge_for_good(PurgeKind.TAG, b"news")
        edge.page.switch(edge.worker.in_force.prepare(OTHER))
        assert "uri-miss" in (await edge.get("/story")).says
        assert len(origin.asked) == 2


async def test_slices_stay_purged_too(tmp_path: Path) -> None:
    origin_of_film = RangedOrigin(BODY)
    async with running_origin(origin_of_film) as origin:
        async with running_edge(origin.url, disk=tmp_path, policies=TAGGED) as edge:
            await have_slices(edge, tmp_path, 2, 6)
            await edge.purge_for_good(PurgeKind.TAG, b"news")
        origin_of_film.parts.clear()
        async with running_edge(origin.url, disk=tmp_path, policies=OTHER) as edge:
            for number in (2, 6):
                assert not is_from_disk(await seek(edge, number))
        assert len(origin_of_film.parts) == 2
