"""The body of one request in batches, until it ends, stalls, or is told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from starlette.types import Receive

BATCH_BYTES: Final = 1 << 20  # held in memory per running upload, and written in one go
BATCH_S: Final = 1.0  # a slow client's bytes reach the file about this soon


class Ending(Enum):
    """Why no more bytes come."""

    WHOLE = "whole"
    GONE = "gone"  # the client closed the connection
    IDLE = "idle"  # it sent nothing for too long
    STOPPED = "stopped"  # another request wants the upload
    DRAINED = "drained"  # the server ends


class BodyReader:
    """Reads only as fast as its batches are taken: that is the back-pressure."""

    def __init__(self, receive: Receive, *, idle_s: float) -> None:
        self._receive = receive
        self._idle_s = idle_s
        self._waiting: asyncio.Timeout | None = None
        self._told: Ending | None = None
        self.ending: Ending | None = None  # None while more may come
        self.released = asyncio.Event()  # set by the writer once it is done with the upload

    def is_over(self) -> bool:
        """Say whether no more bytes come."""
        return self.ending is not None

    def stop(self, why: Ending) -> None:
        """End the body now; what has arrived is still handed over."""
        self._told = why
        if self._waiting is not None:
            self._waiting.reschedule(0.0)

    async def batches(self) -> AsyncIterator[list[bytes]]:
        """Yield lists of pieces of about BATCH_BYTES together; `ending` is set after the last."""
        loop = asyncio.get_running_loop()
        pieces: list[bytes] = []
        size, begun_mono = 0, loop.time()
        while not self.is_over():
            piece = await self._next()
            if piece:
                pieces.append(piece)
                size += len(piece)
            is_due = size >= BATCH_BYTES or loop.time() - begun_mono >= BATCH_S
            if pieces and (is_due or self.is_over()):
                yield pieces
                pieces, size, begun_mono = [], 0, loop.time()

    async def _next(self) -> bytes:
        if self._told is not None:
            self.ending = self._told
            return b""
        try:
            async with asyncio.timeout(self._idle_s) as self._waiting:
                message = await self._receive()
        except TimeoutError:
            self.ending = self._told or Ending.IDLE
            return b""
        finally:
            self._waiting = None
        if message["type"] == "http.disconnect":
            self.ending = Ending.GONE
            return b""
        if not message.get("more_body", False):
            self.ending = Ending.WHOLE
        body: bytes = message.get("body", b"")
        return body
