"""A response from which slices are taken one after the other, and what becomes of the rest."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from edge.arena import SLICE_BYTES
from edge.asking import Received
from edge.errors import UpstreamError

if TYPE_CHECKING:
    from collections.abc import Callable

PARKED_S: Final = 30.0  # a response waits this long for somebody to want its next slice


class SliceStream:
    """A response that brings bytes of one representation, from a slice's first byte on.

    It may bring more slices than the one that it was asked for: then it waits, and its connection
    with it, for the next one to be wanted. One task reads at a time.
    """

    def __init__(self, received: Received, first: int, last: int) -> None:
        """The body of `received` is the bytes `first` to `last`, both inclusive."""
        self.received = received
        self.next = first // SLICE_BYTES  # the slice that nobody has claimed
        self.is_open = True
        self._at = first
        self._end = last + 1
        self._rest = b""
        self._turn = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def has_more(self) -> bool:
        """Whether it brings slices that nobody has claimed."""
        return self.is_open and self.next * SLICE_BYTES < self._end

    async def claim(self, slice_no: int) -> bool:
        """Have the turn to read a slice; False when the response has ended before it."""
        self.next = slice_no + 1
        await self._turn.acquire()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self.is_open:
            self._turn.release()
        return self.is_open

    async def skip_to(self, offset: int) -> None:
        """Leave out what comes before `offset`."""
        while self._at < offset:
            await self.read(offset - self._at)

    async def read(self, bytes_max: int) -> bytes:
        """The next bytes; raises UpstreamError where they end early, or go on for too long."""
        piece = self._rest or await self.received.response.read()
        if not piece:
            raise UpstreamError("truncated", "a body shorter than announced")
        piece, self._rest = piece[:bytes_max], piece[bytes_max:]
        self._at += len(piece)
        if self._at == self._end and (self._rest or await self.received.response.read()):
            raise UpstreamError("truncated", "a body longer than announced")
        return piece

    def park(self, forget: Callable[[], None]) -> None:
        """Give up the turn. Nobody may want the next slice: then `forget` is called, some time."""
        self._turn.release()
        if self._at >= self._end or not self.is_open:
            self.close()
        else:
            self._timer = asyncio.get_running_loop().call_later(PARKED_S, forget)

    def close(self) -> None:
        """Give the connection back, or cut it; who waits for a turn asks for a slice himself."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.is_open = False
        self._rest = b""
        self.received.response.close()
