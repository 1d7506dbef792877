"""What a region costs its origin when a crowd comes to one new video: with the shield, without it.

Eight edges of one worker are each asked by many players at once, who fetch the video's segments in
order. Every body is compared. Rows: `shield`, where the key's owner asks for all, and `alone`,
where each edge asks the origin itself.
"""

import asyncio
import time
from collections.abc import Sequence
from statistics import median
from typing import Any

import httpx
import uvloop

from benchmarks.command import arguments, run
from benchmarks.counted_origin import SEGMENT_BYTES, body
from benchmarks.fleet import fleet
from benchmarks.pairing import RunRefusedError
from benchmarks.report import Report

EDGES = 8
ROWS = ("shield", "alone")
READ_BYTES = 1 << 16


async def player(port: int, targets: Sequence[str], took_ms: list[float]) -> None:
    """Fetch all segments in their order over one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4 * READ_BYTES)
    for target in targets:
        began = time.perf_counter()
        writer.write(f"GET {target} HTTP/1.1\r\nHost: region\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        content = await reader.readexactly(SEGMENT_BYTES)
        took_ms.append(1e3 * (time.perf_counter() - began))
        if not head.startswith(b"HTTP/1.1 200") or content != body(target):
            raise RunRefusedError(f"{target} is not what the origin has")
    writer.close()


async def crowd(ports: Sequence[int], players: int, targets: Sequence[str]) -> list[float]:
    """Have so many players come to each edge at once; return the milliseconds of each segment."""
    took_ms: list[float] = []
    async with asyncio.TaskGroup() as group:
        for port in ports:
            for _ in range(players):
                group.create_task(player(port, targets, took_ms))
    return sorted(took_ms)


async def row(name: str, players: int, segments: int) -> dict[str, Any]:
    """Measure one way of asking."""
    targets = [f"/v/new/{number}.m4s" for number in range(segments)]
    with fleet(
        EDGES,
        memory="64MiB",
        with_valkey=False,
        content="benchmarks.counted_origin",
        with_shield=name == "shield",
    ) as started:
        began = time.perf_counter()
        took_ms = await crowd([edge.port for edge in started.edges], players, targets)
        wall_s = time.perf_counter() - began
        answer = await asyncio.to_thread(httpx.get, f"{started.origin.url}/count", trust_env=False)
        said = answer.json()
    asked = [said["asked"].get(target, 0) for target in targets]
    return {
        "edges": EDGES,
        "players": EDGES * players,
        "objects": segments,
        "origin_requests": sum(asked),
        "requests_per_object": sum(asked) / segments,
        "most_for_one": max(asked),
        "origin_bytes_ratio": said["sent_bytes"] / (segments * SEGMENT_BYTES),
        "segment_median_ms": median(took_ms),
        "segment_p99_ms": took_ms[len(took_ms) * 99 // 100],
        "wall_s": wall_s,
    }


def measure(names: Sequence[str], *, quick: bool) -> Report:
    """Return what was found."""
    players, segments = (6, 10) if quick else (25, 60)
    figures = {name: uvloop.run(row(name, players, segments)) for name in names}
    ratios = {
        f"shield {what}": {"found": found, "target": 1.0, "reached": found == 1.0}
        for what in ("requests_per_object", "origin_bytes_ratio")
        if "shield" in figures
        for found in [figures["shield"][what]]
    }
    return Report(name="region", runs=1, figures=figures, ratios=ratios)


if __name__ == "__main__":
    OPTIONS = arguments(__doc__, rows=ROWS)
    run(lambda: measure(OPTIONS.row or ROWS, quick=OPTIONS.quick), OPTIONS)
