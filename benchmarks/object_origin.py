"""An origin of as many objects as one likes: `GET /o/NUMBER/SIZE` has a head like a video origin's.

A body begins with its number, so that a mix-up shows. Run as
`python -m benchmarks.object_origin PORT`.
"""

import asyncio
import random
from email.utils import formatdate

from benchmarks.plain_server import serve

FILLER = random.Random(1).randbytes(1 << 20) * 5
MARK_BYTES = 16


def mark(number: int) -> bytes:
    """Return the first bytes of an object's body."""
    return b"%015d\n" % number


def body(number: int, size: int) -> bytes:
    """Return an object's body."""
    return mark(number)[:size] + FILLER[: max(0, size - MARK_BYTES)]


def head(number: int, size: int) -> bytes:
    """Return the head of an object: ten fields, one of them a purge tag that ten objects share."""
    return (
        b"HTTP/1.1 200 OK\r\nDate: %b\r\nServer: benchmark\r\nContent-Type: video/mp4\r\n"
        b"Content-Length: %d\r\nLast-Modified: Sat, 01 Nov 2025 10:00:00 GMT\r\n"
        b'ETag: "%016x"\r\nCache-Control: public, max-age=86400\r\n'
        b"Access-Control-Allow-Origin: *\r\nX-Content-Type-Options: nosniff\r\n"
        b"Surrogate-Key: asset-%08d\r\n\r\n"
    ) % (formatdate(usegmt=True).encode(), size, number * 2654435761 % 2**64, number // 10)


class Connection(asyncio.Protocol):
    """Answers one request after another."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        self.unread = b""

    def data_received(self, data: bytes) -> None:
        *whole, self.unread = (self.unread + data).split(b"\r\n\r\n")
        for request in whole:
            target = request.split(b" ", 2)[1]
            number, size = map(int, target.split(b"/")[2:4])
            body = FILLER[: max(0, size - MARK_BYTES)]
            self.transport.write(head(number, size) + mark(number)[:size])
            if body:
                self.transport.write(body)


if __name__ == "__main__":
    serve(Connection)
