"""Memory of slices that nobody has any more, to be written over by the next ones.

A fresh mapping of 1 MiB costs 0.4 ms of page faults, ten times what it takes to write it once more.
"""

import sys
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Final

from edge.arena import SLICE_BYTES, Slice


def _in_a_loop() -> int:
    for element in [object()]:
        return sys.getrefcount(element)
    return 0


REFERENCES: Final = _in_a_loop()  # holder, loop variable and argument; Python 3.14 counts fewer
SPARES_MAX: Final = 8
_SHARE: Final = 32  # of memory, at most: they are not counted against its budget


class Spares:
    """A few slices between two uses; one per worker.

    `BytesIO` writes over the bytes that it was made of only where nobody else has them, and gives
    them back as they are: what anybody could still read is never changed.
    """

    def __init__(self, budget_bytes: int, look: Callable[[], None] = lambda: None) -> None:
        """`look` is called when there are none: some may have come free unnoticed."""
        self._look = look
        self._free: list[bytes] = []
        self._max = min(SPARES_MAX, budget_bytes // _SHARE // SLICE_BYTES)

    def give(self, data: Slice) -> None:
        """Take a slice that nobody needs any more, or will before it is used again."""
        if type(data) is bytes and len(data) == SLICE_BYTES and len(self._free) < self._max:
            self._free.append(data)

    def place(self) -> BytesIO:
        """A full slice to be written over from its beginning, and then taken as its value."""
        if not self._free:
            self._look()
        while self._free:
            data = self._free.pop()
            if sys.getrefcount(data) < REFERENCES:  # nobody holds it
                return BytesIO(data)
        return BytesIO(bytes(SLICE_BYTES))

    def join(self, pieces: Sequence[bytes]) -> bytes:
        """The pieces of a full slice as one."""
        if len(pieces) == 1:
            return pieces[0]
        place, at = self.place(), 0
        with place.getbuffer() as room:
            for piece in pieces:
                room[at : at + len(piece)] = piece
                at += len(piece)
        return place.getvalue()
