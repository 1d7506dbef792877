"""Keep-alive clients in one loop that ask for one object after another and check each answer."""

import asyncio
from collections.abc import Iterator
from functools import partial

from benchmarks.object_origin import MARK_BYTES, mark
from benchmarks.pairing import RunRefusedError


class _Client(asyncio.Protocol):
    """One connection: asks for the next object when the last one has come."""

    def __init__(self, wanted: Iterator[tuple[int, int]], done: asyncio.Future[None]) -> None:
        self._wanted = wanted
        self._done = done
        self._head = b""
        self._left = 0  # bytes of the body still to come
        self._number = -1  # of the object that is to come
        self._size = 0
        self._why: str | None = None  # the run proves nothing

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        if self._left == 0:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0 or len(self._head) < end + 4 + min(self._size, MARK_BYTES):
                return
            head, body = self._head[:end], self._head[end + 4 :]
            wrong = not head.startswith(b"HTTP/1.1 200 ")
            if wrong or body[:MARK_BYTES] != mark(self._number)[: self._size]:
                self._refuse(f"object {self._number}: {head[:200]!r}")
                return
            self._left = self._size - len(body)
        else:
            self._left -= len(data)
        if self._left == 0:
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._done.done():
            return
        if self._why is None and self._number < 0:
            self._done.set_result(None)
        else:
            why = f"a connection was closed while object {self._number} was to come: {exc}"
            self._done.set_exception(RunRefusedError(self._why or why))

    def _next(self) -> None:
        self._head = b""
        wanted = next(self._wanted, None)
        if wanted is None:
            self._number = -1
            self._transport.close()
            return
        self._number, self._size = wanted
        self._transport.write(
            b"GET /o/%d/%d HTTP/1.1\r\nHost: bench.test\r\nAccept: */*\r\n"
            b"User-Agent: benchmark\r\nAccept-Encoding: gzip, br\r\n\r\n" % wanted
        )

    def _refuse(self, why: str) -> None:
        self._why = why
        self._transport.abort()


async def ask(port: int, wanted: Iterator[tuple[int, int]], connections: int) -> None:
    """Ask for every (number, size) in `wanted`; raise RunRefusedError at a wrong answer."""
    loop = asyncio.get_running_loop()
    endings = []
    for _ in range(connections):
        done = loop.create_future()
        endings.append(done)
        await loop.create_connection(partial(_Client, wanted, done), "127.0.0.1", port)
    await asyncio.gather(*endings)
