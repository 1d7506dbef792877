"""Brings small objects into caches, by many kept connections with several requests on each."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

DEEP = 16  # requests at once on a connection
WIDE = 4  # connections to an edge
END = b"\r\n\r\n"


class Answer(NamedTuple):
    """What came for one object."""

    number: int
    is_hit: bool
    body: bytes


class _Asker(asyncio.Protocol):
    """One connection that asks for objects of known length, `DEEP` at a time."""

    def __init__(self, numbers: Sequence[int], size: int) -> None:
        self._numbers, self._size = numbers, size
        self._asked = self._waits = 0
        self._unread = b""
        self.answers: list[Answer] = []
        self.is_done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while (at := self._unread.find(END)) >= 0:
            stop = at + len(END) + self._size
            if len(self._unread) < stop:
                return
            self._take(self._unread[:at], self._unread[at + len(END) : stop])
            self._unread = self._unread[stop:]
        if not self._waits:
            self._ask()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.is_done.done():
            self.is_done.set_exception(error or ConnectionResetError("closed in between"))

    def _ask(self) -> None:
        some = self._numbers[self._asked : self._asked + DEEP]
        if not some:
            if not self.is_done.done():
                self.is_done.set_result(None)
            self._transport.close()
            return
        self._asked += len(some)
        self._waits = len(some)
        self._transport.write(
            b"".join(b"GET /o/%d HTTP/1.1\r\nHost: fleet\r\n\r\n" % number for number in some)
        )

    def _take(self, head: bytes, body: bytes) -> None:
        number = self._numbers[len(self.answers)]
        if not head.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"object {number}: {head[:80]!r}")
        self.answers.append(Answer(number, b"amaro-edge; hit" in head, body))
        self._waits -= 1


async def ask(port: int, numbers: Sequence[int], size: int, wide: int = WIDE) -> list[Answer]:
    """Return the answers of one server for objects of a size."""
    loop = asyncio.get_running_loop()
    askers = []
    for at in range(wide):
        mine = numbers[at::wide]
        _, asker = await loop.create_connection(
            lambda mine=mine: _Asker(mine, size),  # type: ignore[misc]
            "127.0.0.1",
            port,
        )
        askers.append(asker)
    await asyncio.gather(*(asker.is_done for asker in askers))
    return [answer for asker in askers for answer in asker.answers]
