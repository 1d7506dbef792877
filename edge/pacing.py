"""A body that leaves no faster than the limits that it is under allow."""

from __future__ import annotations

import asyncio
from time import monotonic_ns
from typing import Final

from edge.body import Piece
from edge.delivery import Body
from edge.ticket import Ticket

AT_ONCE_BYTES: Final = 65_536  # paid for together: who waits for its turn waits for one of these


class PacedBody:
    """Reads another body piece by piece, each when it may leave."""

    def __init__(self, body: Body, ticket: Ticket) -> None:
        self._body = body
        self._ticket = ticket
        self._rest: memoryview | None = None

    async def read(self) -> Piece:
        """The next bytes, once they are paid for."""
        piece: Piece = await self._body.read() if self._rest is None else self._rest
        self._rest = None
        if len(piece) > AT_ONCE_BYTES:
            view = memoryview(piece)
            piece, self._rest = view[:AT_ONCE_BYTES], view[AT_ONCE_BYTES:]
        if piece:
            wait_s = self._ticket.pay(len(piece), monotonic_ns())
            if wait_s:
                await asyncio.sleep(wait_s)
        return piece

    def close(self) -> None:
        """Let go of it."""
        self._rest = None
        self._body.close()
