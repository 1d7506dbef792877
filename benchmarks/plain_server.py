"""A server of a benchmark that is one protocol class, in a process of its own."""

import asyncio
import sys

import uvloop


def serve(protocol: type[asyncio.Protocol]) -> None:
    """Serve on the port that the command line names, until the process is ended."""
    uvloop.run(_serve(protocol, int(sys.argv[1])))


async def _serve(protocol: type[asyncio.Protocol], port: int) -> None:
    loop = asyncio.get_running_loop()
    async with await loop.create_server(protocol, "127.0.0.1", port, backlog=4096) as server:
        await server.serve_forever()
