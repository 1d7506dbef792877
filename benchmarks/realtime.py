"""One message to thousands of pages, what an idle page costs, and what neither does to others.

Rows: `crowd` how long each page waits for a message to all, and the hub's memory for each idle
page; `stuck` the same messages with and without a page that reads nothing; `hits` how long plain
hits take at a steady rate, with and without a message to all each second.
"""

import asyncio
import os
import socket
import subprocess
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import uvloop

from benchmarks.asking import ask
from benchmarks.bare_edge import Edge, edge
from benchmarks.command import arguments, run
from benchmarks.pages import HANDSHAKE, Crowd, text_frame
from benchmarks.pairing import RunRefusedError
from benchmarks.peers import LOAD_CORE
from benchmarks.readers import raise_descriptor_limit
from benchmarks.report import Report
from benchmarks.resident import resident_bytes
from benchmarks.steady import read_log

MIB = 1024 * 1024
P99_MAX_MS = 250.0
PAGE_MAX_KIB = 25.0
MOVED_MAX = 1.10  # of the 99th percentile of others
HITS_PER_S = 1_000
DESCRIPTORS = 21_000  # of a process, at most: 10 000 pages, and what else there is
TOPIC = "story:crowd"
OPTIONS = ("--realtime", "127.0.0.1:0")


def hub_of(it: Edge) -> tuple[int, int]:
    """Return the hub's process number and port."""
    authorization = {"Authorization": f"Bearer {it.token}"}
    status = httpx.get(f"{it.admin}/status", headers=authorization, timeout=30).json()
    said = status["realtime"]
    return said["pid"], int(said["listen"].rpartition(":")[2])


async def messages(crowd: Crowd, number: int, first: int = 0) -> list[float]:
    """Tell all so many things; return the 99th percentile of each, in ms."""
    found = []
    for each in range(first, first + number):
        took_s = await crowd.tell(each)
        if len(took_s) != len(crowd.pages):
            raise RunRefusedError(f"{len(took_s)} of {len(crowd.pages)} pages heard a message")
        found.append(1e3 * took_s[len(took_s) * 99 // 100])
        await asyncio.sleep(0.2)  # a page may say five things a second
    return found


async def crowd_of(pages: int, number: int) -> dict[str, Any]:
    """Measure memory while pages are idle, then tell them things."""
    with edge(64 * MIB, options=OPTIONS) as it:
        pid, port = hub_of(it)
        crowd = Crowd(port, it.token, TOPIC)
        await crowd.come(200)  # what the first ones cost, all share
        before = resident_bytes([pid])
        await crowd.come(pages - 200)
        await asyncio.sleep(2.0)
        grown = resident_bytes([pid]) - before
        p99s_ms = await messages(crowd, number)
        crowd.leave()
        return {
            "pages": pages,
            "messages": number,
            "kib_per_idle_page": grown / (pages - 200) / 1024,
            "p99_ms": median(p99s_ms),
            "p99_worst_ms": max(p99s_ms),
        }


async def stuck(pages: int, number: int) -> dict[str, Any]:
    """Tell pages things, then again with one among them for which far too much waits."""
    with edge(64 * MIB, options=OPTIONS) as it:
        _, port = hub_of(it)
        crowd = Crowd(port, it.token, TOPIC)
        await crowd.come(pages)
        without, with_one = [], []
        for round_number in range(2):
            first = 2 * round_number * number
            without += await messages(crowd, number, first)
            with stuck_page(it, crowd):
                with_one += await messages(crowd, number, first + number)
        crowd.leave()
        return {
            "pages": pages,
            "messages": 4 * number,
            "p99_ms_without": median(without),
            "p99_ms_with_stuck": median(with_one),
            "p99_moved": median(with_one) / median(without),
        }


def stuck_page(it: Edge, crowd: Crowd) -> socket.socket:
    """Return a page that joins, is told more than its connection takes, and reads none of it."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(30.0)
    client.connect(("127.0.0.1", crowd.port))
    client.sendall(HANDSHAKE % crowd.port)
    client.recv(4096)
    client.sendall(text_frame({"t": "hello", "v": 1, "token": crowd.token(0)}))
    for topic in (TOPIC, "story:stuck"):
        client.sendall(text_frame({"t": "join", "topic": topic}))
    client.recv(16)
    authorization = {"Authorization": f"Bearer {it.token}"}
    with httpx.Client(headers=authorization, timeout=30) as admin:
        for number in range(150):
            signal = {"topic": "story:stuck", "kind": "watchable", "value": {"x": "x" * 2000}}
            said = admin.post(f"{it.admin}/signals", json=signal | {"key": f"k{number}"})
            said.raise_for_status()
    return client


async def hits(pages: int, seconds: int, rounds: int) -> dict[str, Any]:
    """Ask for hits by the clock, with and without messages to all meanwhile."""
    with edge(64 * MIB, options=OPTIONS) as it, tempfile.TemporaryDirectory() as directory:
        _, port = hub_of(it)
        crowd = Crowd(port, it.token, TOPIC)
        await crowd.come(pages)
        await ask(it.server.port, iter([(1, 1024)]), 1)
        quiet: list[float] = []
        told: list[float] = []
        log, number = Path(directory) / "log", 0
        for round_number in range(rounds * 2):
            asking = asyncio.create_task(p99_us(it.server.url, seconds, log))
            tells = round_number % 2 == round_number // 2 % 2  # ABBA
            while tells and not asking.done():
                await crowd.tell(number)
                number += 1
                await asyncio.sleep(1.0)
            (told if tells else quiet).append(await asking)
        crowd.leave()
        return {
            "pages": pages,
            "hits_per_s": HITS_PER_S,
            "messages": number,
            "p99_us_quiet": median(quiet),
            "p99_us_told": median(told),
            "p99_moved": median(told) / median(quiet),
        }


@contextmanager
def idle() -> Iterator[None]:
    """Run only where nobody else on this core wants to. Taking that back needs root."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


async def p99_us(url: str, seconds: int, log: Path) -> float:
    """Return the 99th percentile of what plain hits take, in microseconds."""
    command = ["taskset", "-c", str(LOAD_CORE), "h2load", "--h1", "-c8", f"-D{seconds}"]
    command += [f"--rps={HITS_PER_S / 8:.2f}", f"--log-file={log}", f"{url}/o/1/1024"]
    asking = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL)
    with idle():  # pages are on the load's core: what they take is no delay of the worker's
        await asking.wait()
    errors, took_us = read_log(log)
    await asyncio.to_thread(log.unlink)
    if errors or len(took_us) < 0.9 * HITS_PER_S * seconds:
        raise RunRefusedError(f"{len(took_us)} hits in {seconds} s, {errors} errors")
    return float(took_us[len(took_us) * 99 // 100])


Row = Callable[[bool], Awaitable[dict[str, Any]]]
SIZES = {True: (1_000, 5), False: (10_000, 30)}  # pages and messages, by whether it is quick
TURNS = {True: (1_000, 2, 1), False: (10_000, 10, 4)}  # pages, seconds of a turn, rounds
ROWS: dict[str, Row] = {  # by whether the run is a quick one
    "crowd": lambda quick: crowd_of(*SIZES[quick]),
    "stuck": lambda quick: stuck(*SIZES[quick]),
    "hits": lambda quick: hits(*TURNS[quick]),
}
LIMITS = {  # figure: its limit
    "kib_per_idle_page": PAGE_MAX_KIB,
    "p99_ms": P99_MAX_MS,
    "p99_moved": MOVED_MAX,
}


def measure(*, quick: bool, rows: tuple[str, ...]) -> Report:
    """Return what each row found, and whether it keeps its limits."""
    raise_descriptor_limit(DESCRIPTORS)
    os.sched_setaffinity(0, {LOAD_CORE})
    figures: dict[str, Any] = {}
    ratios: dict[str, Any] = {}
    for name in rows:
        figures[name] = found = uvloop.run(as_coroutine(ROWS[name](quick)))
        for figure, limit in LIMITS.items():
            if figure in found:
                value = found[figure]
                ratios[f"{name} {figure}"] = {
                    "found": value,
                    "limit": limit,
                    "reached": value <= limit,
                }
    return Report(name="realtime", runs=1, figures=figures, ratios=ratios)


async def as_coroutine(awaitable: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    """Return what `awaitable` gives."""
    return await awaitable


if __name__ == "__main__":
    options = arguments(__doc__, needs=("h2load", "taskset"), rows=list(ROWS))
    run(lambda: measure(quick=options.quick, rows=tuple(options.row or ROWS)), options)
