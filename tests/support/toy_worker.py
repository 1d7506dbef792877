"""A worker with no cache in it: it does what its supervisor needs, and misbehaves when asked."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import time

from edge.control import ControlLine
from edge.handover import Handover, adopt
from edge.purges import PurgeFollower


async def serve(given: Handover, control: socket.socket) -> None:
    seen: list[str] = []
    lines: list[ControlLine] = []
    follower = PurgeFollower(given.page, given.worker_no, lambda p: seen.append(p.value.decode()))
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    def who() -> bytes:
        follower.catch_up()
        facts = {"pid": os.getpid(), "worker": given.worker_no, "applied": follower.applied}
        return json.dumps(facts | {"seen": seen}).encode()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        match (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1]:
            case b"/die":
                os._exit(3)
            case b"/hang":
                time.sleep(3600)  # noqa: ASYNC251 the whole loop hangs, as is the point
            case b"/invalidate":
                keys = ["http://a/1", "http://a/2"]
                await lines[0].ask("invalidate", keys, limit_s=None)
        body = who()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, sock=given.listener)

    async def sync(_detail: None) -> int:
        return follower.catch_up()

    async def audience(_salt: str) -> dict[str, list[None]]:
        return {"stories": [], "objects": [], "quality": []}

    line = await ControlLine.open(control, {"audience": audience, "sync": sync})
    lines.append(line)
    talk = asyncio.create_task(line.run())
    await stop.wait()
    server.close()
    follower.detach()
    talk.cancel()


if __name__ == "__main__":
    if "stillborn" in sys.argv:
        sys.exit(4)
    asyncio.run(serve(*adopt()))
