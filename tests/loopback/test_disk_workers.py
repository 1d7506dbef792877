"""Slices on the disk of a node with two workers: fetched once, found and purged by both."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx

from edge.arena import SLICE_BYTES
from edge.record import SLICED
from tests.support.disk_slices import BODY, SLICES, parts_on_disk
from tests.support.edge_node import DEADLINE_S, NO_TLS, RunningNode, decoded, edge_node
from tests.support.edges import Origin, running_origin
from tests.support.ranged_origin import RangedOrigin

WORKERS = 2
PLAYERS = 8
SMALL = "16MiB"  # of which half a worker's share has no place for the body


@asynccontextmanager
async def disk_node(origin: Origin, root: Path, *options: str) -> AsyncIterator[RunningNode]:
    """A node with two workers, in front of an origin that this loop serves."""
    making = edge_node(origin.url, "--disk", str(root), *options, workers=WORKERS)
    node = await asyncio.to_thread(making.__enter__)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.to_thread, making.__exit__, None, None, None)
        yield node


async def ask(node: RunningNode, body: bytes, first: int, last: int) -> str:
    """Ask for a part on a connection of its own, so that any worker may get it."""
    async with httpx.AsyncClient(timeout=DEADLINE_S, trust_env=False, verify=NO_TLS) as http:
        got = await http.get(
            f"{node.url}/film", headers={"host": "edge.test", "range": f"bytes={first}-{last}"}
        )
    assert (got.status_code, got.content) == (206, body[first : last + 1]), got.headers
    return got.headers["cache-status"]


async def ask_whole(node: RunningNode, body: bytes) -> None:
    async with httpx.AsyncClient(timeout=DEADLINE_S, trust_env=False, verify=NO_TLS) as http:
        got = await http.get(f"{node.url}/film", headers={"host": "edge.test"})
    assert (got.status_code, len(got.content)) == (200, len(body)), got.headers
    assert got.content == body


async def seeks(node: RunningNode, body: bytes, *numbers: int) -> list[str]:
    """What Cache-Status says to players that all seek at once into these slices."""
    places = [number * SLICE_BYTES for number in numbers for _ in range(PLAYERS)]
    return await asyncio.gather(*(ask(node, body, at, at + 999) for at in places))


async def skipped(node: RunningNode) -> float:
    """Look-ups on disk that took too long, since the machine is busy: these ask the origin."""
    text = (await asyncio.to_thread(node.admin, "GET", "/metrics", token=None)).text
    line = 'amaro_edge_disk_reads_total{result="skipped"} '
    return float(text.partition(line)[2].partition("\n")[0])


async def on_disk(root: Path, *parts: int, again: Callable[[], Awaitable[object]]) -> None:
    """Ask `again` until these are on disk: one that is slow for a moment is given less."""
    async with asyncio.timeout(DEADLINE_S):
        while not set(parts_on_disk(root)) >= {SLICED, *parts}:
            await again()
            await asyncio.sleep(0.05)


async def test_each_slice_is_fetched_once_and_found_by_both(tmp_path: Path) -> None:
    script = RangedOrigin(BODY, lines=("Cache-Control: max-age=600", "Surrogate-Key: films"))
    async with running_origin(script) as origin:
        async with disk_node(origin, tmp_path) as node:
            for _ in range(2):
                await seeks(node, BODY, 2, 6)
            assert Counter(script.parts).most_common(1)[0][1] == 1, script.parts
            await on_disk(tmp_path, 2, 6, again=lambda: seeks(node, BODY, 2, 6))
            await asyncio.to_thread(node.kill)
        asked = len(origin.asked)
        async with disk_node(origin, tmp_path) as node:
            await seeks(node, BODY, 2, 6)
            assert len(origin.asked) - asked <= await skipped(node)
            await seeks(node, BODY, 3)
            assert script.parts.count((3 * SLICE_BYTES, 4 * SLICE_BYTES - 1)) == 1
            for version, order in enumerate([{"tag": "films"}, {"all": True}, {"prefix": "/fi"}]):
                script.body = bytes([version + 65]) * len(BODY)
                script.etag = f'"of {version}"'
                receipt = decoded(await asyncio.to_thread(node.purge, **order))
                assert receipt["workers"] == WORKERS
                for _ in range(2):
                    await seeks(node, script.body, 2, 6)


async def test_what_memory_cannot_hold_is_served_by_both(tmp_path: Path) -> None:
    script = RangedOrigin(BODY)
    async with running_origin(script) as origin:
        async with disk_node(origin, tmp_path, "--memory", SMALL) as node:

            async def crowd() -> None:
                await asyncio.gather(*(ask_whole(node, BODY) for _ in range(PLAYERS // 2)))

            for _ in range(3):
                await crowd()
            await on_disk(tmp_path, *range(SLICES), again=crowd)
            await asyncio.to_thread(node.kill)
        asked = len(origin.asked)
        async with disk_node(origin, tmp_path, "--memory", SMALL) as node:
            await asyncio.gather(*(ask_whole(node, BODY) for _ in range(PLAYERS)))
            await seeks(node, BODY, 0, 5)
            assert len(origin.asked) - asked <= await skipped(node)
