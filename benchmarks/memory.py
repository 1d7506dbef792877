"""What an edge's memory costs beside the bytes it is for, and whether it keeps its budget.

Rows: `objects-…` small objects are filled through the edge, then others push them out; `churn` of
objects of 1 KiB to 4 MiB; `stalled-…` readers of one segment, on plain connections, over TLS, and
in the streams of HTTP/2; `slow-readers` while memory churns.
"""

import asyncio
import os
import random
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import count
from typing import Any

import uvloop

from benchmarks.asking import ask
from benchmarks.bare_edge import Edge, edge
from benchmarks.command import arguments, run
from benchmarks.object_origin import head
from benchmarks.peers import LOAD_CORE
from benchmarks.readers import (
    finish,
    over_tls,
    raise_descriptor_limit,
    stalled,
    stalled_over_tls,
    trickle,
)
from benchmarks.report import Report
from benchmarks.resident import Resident
from benchmarks.stalled_streams import WINDOW_MAX, StalledStreams

KIB, MIB = 1024, 1024 * 1024
CONNECTIONS = 32
OVERHEAD_MAX_BYTES = 700
RSS_MAX = 1.2  # of the budget, above the start
STALL_MAX_MS = 20.0
SEGMENT_BYTES = 4 * MIB
SEGMENT = (0, SEGMENT_BYTES)  # number and size of an object
SEGMENT_TARGET = b"/o/%d/%d" % SEGMENT
READ_AT_LAST = 16  # of all that stalled
STALLED_READERS, STALLED_MAX_MIB = 10_000, 300
STALLED_TLS_READERS, TLS_READER_MAX_KIB = 1_000, 200
STALLED_STREAMS, STREAMS_MAX_MIB = 100, 2
STREAM_WINDOWS = {"without_window": 0, "with_all_window": WINDOW_MAX}
SLOW_READERS, SLOW_BYTES_PER_S = 1_000, 16 * KIB
CHURN_BUDGET_BYTES = 256 * MIB


def small(first: int, number: int) -> Iterator[tuple[int, int]]:
    """Return `number` objects of 1 KiB, by (number, size)."""
    return iter([(each, KIB) for each in range(first, first + number)])


async def objects(number: int, churned: int) -> dict[str, Any]:
    """Fill `number` small objects, then push `churned` of them out, with purges in between."""
    # size_bytes of an entry: body, head as players see it, the fixed overhead that is counted
    budget = int(number * (KIB + len(head(0, KIB)) + KIB))
    with edge(budget) as it:
        await ask(it.server.port, small(10**12, 2000), CONNECTIONS)
        it.purge(all=True)
        resident = Resident(it.server.process.pid)
        it.metrics()
        await ask(it.server.port, small(0, number), CONNECTIONS)
        filling_ms, filling_busy_ms = it.longest_stall_ms()
        await asyncio.sleep(1.0)
        there = it.metrics()["amaro_edge_memory_objects"]
        grown = resident.grown_bytes()
        rest = grown - there * (KIB + len(head(0, KIB)))
        it.metrics()
        for part in range(4):
            await ask(
                it.server.port, small(number + part * churned // 4, churned // 4), CONNECTIONS
            )
            it.purge(tags=[f"asset-{each:08d}" for each in range(part * 20, part * 20 + 20)])
            it.purge(prefix=f"/o/{part}77")
        churn_ms, churn_busy_ms = it.longest_stall_ms()
        it.purge(all=True)
        purge_ms, _ = it.longest_stall_ms()
        return {
            "objects": there,
            "overhead_bytes_per_object": rest / there,
            "resident_bytes_per_object": grown / there,
            "longest_stall_filling_ms": filling_ms,
            "longest_busy_filling_ms": filling_busy_ms,
            "longest_stall_churn_ms": churn_ms,
            "longest_busy_churn_ms": churn_busy_ms,
            "longest_stall_purge_all_ms": purge_ms,
        }


def mixed(seed: int, seconds: float) -> Iterator[tuple[int, int]]:
    """Yield objects of 1 KiB to 4 MiB, evenly by the logarithm of size, for so many seconds."""
    chance = random.Random(seed)
    until = asyncio.get_running_loop().time() + seconds
    for number in count():
        if asyncio.get_running_loop().time() > until:
            return
        again = number > 100 and chance.random() < 0.3  # asked for before: some are hits
        which = number - chance.randrange(1, 100) if again else number
        yield which, int(KIB * 4096 ** random.Random(which).random())


async def churn(seconds: float) -> dict[str, Any]:
    """Let objects of many sizes push each other out."""
    with edge(CHURN_BUDGET_BYTES) as it:
        await ask(it.server.port, small(10**12, 2000), CONNECTIONS)
        resident = Resident(it.server.process.pid)
        watching = asyncio.create_task(resident.watch())
        it.metrics()
        await ask(it.server.port, mixed(1, seconds), CONNECTIONS)
        watching.cancel()
        said = it.metrics()
        return {
            "seconds": seconds,
            "budget_mib": it.budget_bytes / MIB,
            "peak_growth_mib": resident.peak_bytes / MIB,
            "peak_share_of_budget": resident.peak_bytes / it.budget_bytes,
            "evicted": said["amaro_edge_evicted_total"],
            "longest_stall_ms": 1e3 * said["amaro_edge_loop_stall_max_seconds"],
            "longest_busy_ms": 1e3 * said["amaro_edge_loop_busy_max_seconds"],
        }


async def stalled_readers(number: int) -> dict[str, Any]:
    """Let many players stop while they read one segment."""
    with edge(CHURN_BUDGET_BYTES) as it:
        await ask(it.server.port, iter([SEGMENT]), 1)
        resident = Resident(it.server.process.pid)
        connections = await stalled(it.server.port, [SEGMENT_TARGET] * number)
        await asyncio.sleep(1.0)
        grown = resident.grown_bytes()
        it.refuse_unless_held(number)
        end_all(connections)
        return {
            "readers": number,
            "growth_mib": grown / MIB,
            "bytes_per_reader": grown / number,
        }


async def stalled_tls_readers(number: int) -> dict[str, Any]:
    """Let many players stop while they read one segment over TLS, with HTTP/1.1."""
    with edge(CHURN_BUDGET_BYTES, tls=True) as it:
        port, context = it.server.port, it.client_context("http/1.1")
        for _ in range(2):  # from the origin, then from memory
            finish(stalled_over_tls(port, SEGMENT_TARGET, context), SEGMENT)
        resident = Resident(it.server.process.pid)
        connections = [stalled_over_tls(port, SEGMENT_TARGET, context) for _ in range(number)]
        await asyncio.sleep(1.0)
        grown = resident.grown_bytes()
        it.refuse_unless_held(number)
        end_all(connections)
        return {
            "readers": number,
            "kib_per_tls_reader": grown / number / KIB,
        }


async def stalled_streams(connections: int) -> dict[str, Any]:
    """Let players stop in 100 streams of one connection: those without window, and those with all
    that there is, who read nothing of it."""
    found: dict[str, Any] = {"connections": connections, "streams": STALLED_STREAMS}
    for name, window in STREAM_WINDOWS.items():
        with edge(CHURN_BUDGET_BYTES, tls=True) as it:

            def stop(streams: int, it: Edge = it, window: int = window) -> StalledStreams:
                connection = over_tls(it.server.port, it.client_context("h2"))
                return StalledStreams(connection, SEGMENT, streams=streams, initial_window=window)

            for _ in range(2):  # from the origin, then from memory
                stop(1).finish()
            resident = Resident(it.server.process.pid)
            stopped = [stop(STALLED_STREAMS) for _ in range(connections)]
            await asyncio.sleep(1.0)
            found[f"mib_{name}"] = resident.grown_bytes() / connections / MIB
            it.refuse_unless_held(connections)
            for number, each in enumerate(stopped):
                if number % READ_AT_LAST:
                    each.close()
                else:
                    each.finish()
    return found | {"mib_per_connection": max(found[f"mib_{name}"] for name in STREAM_WINDOWS)}


def end_all(connections: Sequence[socket.socket]) -> None:
    """Close all; some of them read what they had asked for before, and it has to be right."""
    every = max(1, len(connections) // READ_AT_LAST)
    for number, connection in enumerate(connections):
        if number % every:
            connection.close()
        else:
            finish(connection, SEGMENT)


async def slow_readers(number: int, seconds: float) -> dict[str, Any]:
    """Let memory churn while many players read slowly, each a segment of its own."""
    with edge(CHURN_BUDGET_BYTES) as it:
        await ask(it.server.port, small(10**12, 2000), CONNECTIONS)
        resident = Resident(it.server.process.pid)
        watching = asyncio.create_task(resident.watch())
        targets = [b"/o/%d/%d" % (10**9 + each, SEGMENT_BYTES) for each in range(number)]
        connections: list[Any] = []
        for at in range(0, number, 50):
            connections += await stalled(it.server.port, targets[at : at + 50], 64 * KIB)
        reading = asyncio.create_task(trickle(connections, SLOW_BYTES_PER_S))
        await ask(it.server.port, mixed(2, seconds), CONNECTIONS)
        for task in (reading, watching):
            task.cancel()
        said = it.metrics()
        for connection in connections:
            connection.close()
        return {
            "readers": number,
            "seconds": seconds,
            "budget_mib": it.budget_bytes / MIB,
            "peak_growth_mib": resident.peak_bytes / MIB,
            "peak_share_of_budget": resident.peak_bytes / it.budget_bytes,
            "readers_cut": said["amaro_edge_readers_cut_total"],
        }


Row = Callable[[bool], Awaitable[dict[str, Any]]]
ROWS: dict[str, Row] = {  # by whether the run is a quick one
    "objects-100k": lambda quick: objects(*((20_000, 4_000) if quick else (100_000, 20_000))),
    "objects-1M": lambda quick: objects(*((40_000, 8_000) if quick else (1_000_000, 100_000))),
    "churn": lambda quick: churn(20.0 if quick else 1200.0),
    "stalled-readers": lambda quick: stalled_readers(1_000 if quick else STALLED_READERS),
    "stalled-tls-readers": lambda quick: stalled_tls_readers(200 if quick else STALLED_TLS_READERS),
    "stalled-streams": lambda quick: stalled_streams(4 if quick else 32),
    "slow-readers": lambda quick: slow_readers(
        200 if quick else SLOW_READERS, 10 if quick else 120
    ),
}
LIMITS = {  # figure: its limit, as a name and a number
    "overhead_bytes_per_object": OVERHEAD_MAX_BYTES,
    "longest_stall_churn_ms": STALL_MAX_MS,
    "peak_share_of_budget": RSS_MAX,
    "growth_mib": STALLED_MAX_MIB,
    "kib_per_tls_reader": TLS_READER_MAX_KIB,
    "mib_per_connection": STREAMS_MAX_MIB,
}


def measure(*, quick: bool, rows: tuple[str, ...]) -> Report:
    """Return what each row found, and whether it keeps its limits."""
    raise_descriptor_limit(2 * STALLED_READERS + 1000)
    os.sched_setaffinity(0, {LOAD_CORE})
    figures: dict[str, Any] = {}
    ratios: dict[str, Any] = {}
    for name in rows:
        figures[name] = found = uvloop.run(as_coroutine(ROWS[name](quick)))
        for figure, limit in LIMITS.items():
            if figure in found:
                ratios[f"{name} {figure}"] = {
                    "found": found[figure],
                    "limit": limit,
                    "reached": found[figure] <= limit,
                }
    return Report(name="memory", runs=1, figures=figures, ratios=ratios)


async def as_coroutine(awaitable: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    """Return what `awaitable` gives."""
    return await awaitable


if __name__ == "__main__":
    options = arguments(__doc__, needs=("openssl", "taskset"), rows=list(ROWS))
    run(lambda: measure(quick=options.quick, rows=tuple(options.row or ROWS)), options)
