"""Reading a region's log from a server that does not end what it says."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from edge.log_page import FeedError
from edge.purge_feed import PurgeFeed


async def test_a_page_that_trickles_is_given_up() -> None:
    ended = asyncio.Event()

    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
        with suppress(ConnectionError):
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.05)
        writer.close()
        ended.set()

    server = await asyncio.start_server(trickle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    feed = PurgeFeed(f"http://127.0.0.1:{port}/purges", "t", page_s=0.5)
    async with asyncio.timeout(10.0):
        with pytest.raises(FeedError, match="TimeoutError"):
            await feed.page(0)
        await feed.close()
        await ended.wait()
    server.close()
