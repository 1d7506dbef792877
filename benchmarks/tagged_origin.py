"""An origin of tiny objects, every other one of which has the tag `half`.

`GET /o/NUMBER` has a body that says which generation of content it is of, and `GET /generation/N`
begins another. Run as `python -m benchmarks.tagged_origin PORT`.
"""

import asyncio

from benchmarks.plain_server import serve

BODY_BYTES = 32
TAG = "half"


def body(number: int, generation: int) -> bytes:
    """Return an object's body, always as long."""
    return b"%08d of %08d" % (number, generation) + b"." * (BODY_BYTES - 20)


class Connection(asyncio.Protocol):
    """Answers one request after another."""

    generation = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        self.unread = b""

    def data_received(self, data: bytes) -> None:
        *whole, self.unread = (self.unread + data).split(b"\r\n\r\n")
        for request in whole:
            _, kind, number = request.split(b" ", 2)[1].split(b"/")
            if kind == b"generation":
                Connection.generation = int(number)
            self.transport.write(answer(int(number), Connection.generation))


def answer(number: int, generation: int) -> bytes:
    """Return the whole response."""
    tag = TAG if number % 2 else "other"
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n"
        b"Cache-Control: public, max-age=86400\r\nSurrogate-Key: %b asset-%08d\r\n\r\n%b"
    ) % (BODY_BYTES, tag.encode(), number // 10, body(number, generation))


if __name__ == "__main__":
    serve(Connection)
