"""What a node must be when players have gone: at rest, right again, and without anything left."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress

import psutil

from tests.support.edge_node import DEADLINE_S
from tests.support.soak_node import DISK_BYTES, MEMORY_BYTES, WORKERS, SoakNode
from tests.support.soak_player import Crowd, read_answer, wire
from tests.support.soak_world import CALM_S, PATHS

DESCRIPTORS_MORE_MAX = 600  # pools keep 128 connections each to the origin and to a peer
RSS_MORE_MAX = 1.2 * MEMORY_BYTES / WORKERS + (24 << 20)  # the rest: code that was loaded meanwhile
MUST_BE_NOTHING = ("connections", "fills_running")
ROUNDS = 2

Counted = dict[tuple[str, ...], float]


async def complaints_of(node: SoakNode, crowd: Crowd) -> list[str]:
    """Let the node come to rest, ask it for everything, and end it; return what is wrong."""
    wrong: list[str] = []
    await asyncio.sleep(max(0.0, crowd.world.upset_mono + CALM_S - time.monotonic()))
    before = await _at_rest(node, wrong)
    asked, got_bytes = await ask_everything(crowd)
    after = await _at_rest(node, wrong)
    counted = _sum(after, "requests_total") - _sum(before, "requests_total")
    if counted != asked:
        wrong.append(f"{asked} requests were counted as {counted}")
    counted = _sum(after, "sent_bytes_total") - _sum(before, "sent_bytes_total")
    if counted != got_bytes:
        wrong.append(f"{got_bytes} bytes of bodies were counted as {counted}")
    if after["memory_bytes",] > MEMORY_BYTES:
        wrong.append(f"{after['memory_bytes',]} bytes in memory")
    wrong += _grown(node)
    wrong += await _left_by(node)
    return wrong


async def _at_rest(node: SoakNode, wrong: list[str]) -> Counted:
    """Wait until nothing runs; complain of what does not end."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        counted = await node.metrics()
        running = [name for name in MUST_BE_NOTHING if counted[name,]]
        if not running and counted["disk_bytes",] <= DISK_BYTES:
            return counted
        if time.monotonic() > deadline:
            wrong.append(f"no rest: {running}, {counted['disk_bytes',]} bytes on disk")
            return counted
        await asyncio.sleep(0.1)


async def ask_everything(crowd: Crowd) -> tuple[int, int]:
    """Ask for everything over new connections; return how many requests and bytes of bodies."""
    asked, got_bytes = 0, 0
    draw = random.Random(crowd.seed)
    for path in PATHS * ROUNDS:
        reader, writer = await crowd.target.connect()
        ask = crowd.plain(path)
        writer.write(wire(ask))
        async with asyncio.timeout(DEADLINE_S):
            heard = await read_answer(reader, ask, draw)
        writer.close()
        crowd.hear(ask, heard, {})
        asked += 1
        got_bytes += len(heard.body)
    return asked, got_bytes


def _sum(counted: Counted, name: str) -> float:
    return sum(value for labels, value in counted.items() if labels[0] == name)


def _grown(node: SoakNode) -> list[str]:
    """What processes have more of than when they were new."""
    wrong = []
    for pid, new in node.watched.items():
        with suppress(psutil.NoSuchProcess):
            more = new.process.num_fds() - new.descriptors
            if more > DESCRIPTORS_MORE_MAX:
                wrong.append(f"process {pid} has {more} descriptors more than at its start")
            more = new.process.memory_info().rss - new.rss_bytes
            if pid != node.pid and more > RSS_MORE_MAX:
                wrong.append(f"process {pid} has {more >> 20} MiB more than at its start")
    return wrong


async def _left_by(node: SoakNode) -> list[str]:
    """End the node, begin it once more and end that: what killed workers left aside goes, too."""
    wrong = []
    if status := await node.terminate():
        wrong.append(f"the node ended with status {status}")
    await node.start(tls=False)
    await node.until_whole()
    if status := await node.terminate():
        wrong.append(f"the node ended with status {status}, started again")
    if aside := list((node.root / "disk" / "aside").iterdir()):
        wrong.append(f"left aside: {aside}")
    if lines := node.bad_lines():
        wrong.append("\n".join(["the log says:", *lines[:200]]))
    return wrong
