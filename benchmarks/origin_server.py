"""The origin of every benchmark: seeded bodies, as fast or as slow as the path says, all counted.

`GET /fast/SIZE` answers at once (any first word does), `GET /slow/SIZE` at 1 MiB/s, `GET /count`
with the number of requests so far, itself excluded. It offers ranges, without which nginx serves
none from its cache, and answers with the whole whatever is asked. Run as
`python -m benchmarks.origin_server PORT`.
"""

import asyncio
import random
import sys

import uvloop

SLOW_BYTES_PER_S = 1024 * 1024
PIECE_BYTES = 16 * 1024


def body(size: int) -> bytes:
    """Return `size` bytes that are the same in every process."""
    return random.Random(size).randbytes(size)


class Origin:
    """Answers keep-alive connections and counts what it is asked."""

    def __init__(self) -> None:
        self.requests = 0
        self.bodies: dict[int, bytes] = {}

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until its peer closes it."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await self.answer(head.split(b" ", 2)[1].partition(b"?")[0].decode(), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def answer(self, path: str, writer: asyncio.StreamWriter) -> None:
        """Write the response to one request."""
        if path == "/count":
            count = b"%d" % self.requests
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(count) + count)
            return
        self.requests += 1
        kind, size = path.strip("/").split("/")
        content = self.content(int(size))
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: %d\r\n"
            b'Cache-Control: public, max-age=86400\r\nAccept-Ranges: bytes\r\nETag: "%d"\r\n\r\n'
            % (len(content), len(content))
        )
        if kind != "slow":
            writer.write(content)
            await writer.drain()
            return
        clock = asyncio.get_running_loop().time
        started = clock()
        for at in range(0, len(content), PIECE_BYTES):
            await asyncio.sleep(max(0.0, started + at / SLOW_BYTES_PER_S - clock()))
            writer.write(content[at : at + PIECE_BYTES])
            await writer.drain()

    def content(self, size: int) -> bytes:
        """Return the body of that size, made once."""
        if size not in self.bodies:
            self.bodies[size] = body(size)
        return self.bodies[size]


async def serve(port: int) -> None:
    """Serve until the process is ended."""
    server = await asyncio.start_server(Origin().connection, "127.0.0.1", port, backlog=1024)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
