"""A distant origin of segments, which counts what it is asked and what it sends.

`GET /v/STORY/NUMBER.m4s` is answered after a while, as from far away; `GET /count` says how often
each was asked for, and the bytes of all bodies. Run as `python -m benchmarks.counted_origin PORT`.
"""

import asyncio
import json
import random
from collections import Counter
from typing import ClassVar, Final

from benchmarks.plain_server import serve

SEGMENT_BYTES: Final = 200_000
AWAY_S: Final = 0.03
FILLER: Final = random.Random(1).randbytes(SEGMENT_BYTES)


def body(target: str) -> bytes:
    """Return a segment's body, which says what it is."""
    return target.encode().ljust(64)[:64] + FILLER[64:]


class Connection(asyncio.Protocol):
    """Answers one request after another."""

    asked: ClassVar[Counter[str]] = Counter()
    sent_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        self.unread = b""

    def data_received(self, data: bytes) -> None:
        *whole, self.unread = (self.unread + data).split(b"\r\n\r\n")
        for request in whole:
            target = request.split(b" ", 2)[1].decode()
            if target == "/count":
                said = {"asked": Connection.asked, "sent_bytes": Connection.sent_bytes}
                self._send(json.dumps(said).encode(), b"no-store")
                continue
            Connection.asked[target] += 1
            loop = asyncio.get_running_loop()
            loop.call_later(AWAY_S, self._send, body(target), b"max-age=86400, immutable")

    def _send(self, content: bytes, cache_control: bytes) -> None:
        if cache_control != b"no-store":
            Connection.sent_bytes += len(content)
        head = (
            b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: %d\r\n"
            b'Cache-Control: %b\r\nETag: "1"\r\nSurrogate-Key: story\r\n\r\n'
        )
        self.transport.writelines([head % (len(content), cache_control), content])


if __name__ == "__main__":
    serve(Connection)
