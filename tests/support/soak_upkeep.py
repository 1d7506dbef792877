"""What a node may have left when players have gone: nothing that grows."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import psutil

from tests.support.edge_node import DEADLINE_S
from tests.support.soak_node import DISK_BYTES, MEMORY_BYTES, WORKERS, SoakNode

DESCRIPTORS_MORE_MAX = 80  # connections to origins and peers that wait for their next use
RSS_MORE_MAX = 1.2 * MEMORY_BYTES / WORKERS + (24 << 20)  # the rest: code that was loaded meanwhile
MUST_BE_NOTHING = ("connections", "fills_running")


async def complaints_of(node: SoakNode) -> list[str]:
    """Let the node come to rest, end it, begin it once more and end that; return what is wrong."""
    wrong = await _at_rest(node)
    for pid, new in node.watched.items():
        with suppress(psutil.NoSuchProcess):
            more = new.process.num_fds() - new.descriptors
            if more > DESCRIPTORS_MORE_MAX:
                wrong.append(f"process {pid} has {more} descriptors more than at its start")
            more = new.process.memory_info().rss - new.rss_bytes
            if pid != node.pid and more > RSS_MORE_MAX:
                wrong.append(f"process {pid} has {more >> 20} MiB more than at its start")
    for _ in range(2):  # what killed workers left aside is cleared at the next start
        if status := await node.terminate():
            wrong.append(f"the node ended with status {status}")
        if _ == 0:
            await node.start(tls=False)
            await node.until_whole()
    if aside := list((node.root / "disk" / "aside").iterdir()):
        wrong.append(f"left aside: {aside}")
    if lines := node.bad_lines():
        wrong.append("\n".join(["the log says:", *lines[:200]]))
    return wrong


async def _at_rest(node: SoakNode) -> list[str]:
    """Wait until nothing runs; return what does not end, or does not fit."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        counted = await node.metrics()
        disk_bytes = counted["disk_bytes",]
        running = [name for name in MUST_BE_NOTHING if counted[name,]]
        if not running and disk_bytes <= DISK_BYTES:
            break
        if time.monotonic() > deadline:
            return [f"no rest: {running}, {disk_bytes} bytes on disk"]
        await asyncio.sleep(0.1)
    wrong = []
    if counted["memory_bytes",] > MEMORY_BYTES:
        wrong.append(f"{counted['memory_bytes',]} bytes in memory")
    return wrong
