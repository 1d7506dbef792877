"""A body that grows while it is read: 1 MiB slices, then the pieces of the slice being filled."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from edge.arena import SLICE_BYTES, Slice

_COALESCE_BYTES: Final = (
    16_384  # smaller pieces are joined, so that a dribbling origin costs little
)

Piece: TypeAlias = bytes | memoryview


def part_of(held: Slice, begin: int, end: int) -> Piece:
    """Bytes of a slice, without copying them."""
    if end - begin == len(held) and isinstance(held, bytes):
        return held
    return memoryview(held)[begin:end]


def cut(slice_of: Callable[[int], Slice | None], first: int, last: int) -> list[Piece]:
    """The bytes `first` to `last` (inclusive) of a body in slices, without copying them."""
    pieces: list[Piece] = []
    for number in range(first // SLICE_BYTES, last // SLICE_BYTES + 1):
        start = number * SLICE_BYTES
        held = slice_of(number)
        assert held is not None
        begin, end = max(first - start, 0), min(last - start + 1, len(held))
        pieces.append(part_of(held, begin, end))
    return pieces


class GrowingBody:
    """Appends on one side, reads at any offset on the other. Only sealing a slice copies bytes."""

    __slots__ = (
        "_join",
        "_sealed",
        "_starts",
        "_tail",
        "_tail_from",
        "_whole",
        "dropped_bytes",
        "size",
    )

    def __init__(self, join: Callable[[Sequence[bytes]], bytes] = b"".join) -> None:
        """`join` makes a full slice of its pieces."""
        self._join = join
        self._sealed: list[bytes] = []
        self._tail: list[bytes] = []
        self._starts: list[int] = []  # offset of each piece of the tail
        self._tail_from = 0
        self._whole = True
        self.dropped_bytes = 0
        self.size = 0  # bytes appended

    def append(self, piece: bytes) -> list[bytes]:
        """Add the next bytes; return the pieces that became part of slices, and may still be held.

        Whoever reads slowly may hold them for long, beside the slices.
        """
        tail, joined = self._tail, list[bytes]()
        if tail and len(tail[-1]) + len(piece) <= _COALESCE_BYTES:
            tail[-1] += piece
        elif piece:
            self._starts.append(self.size)
            tail.append(piece)
        self.size += len(piece)
        while self._whole and self.size - self._tail_from >= SLICE_BYTES:
            joined += self._seal()
        return joined

    def read(self, offset: int) -> Piece:
        """What is there from `offset` to the end of its piece or slice; b"" when nothing is yet."""
        if offset >= self.size:
            return b""
        if offset < self.dropped_bytes:
            raise IndexError("these bytes were dropped")
        if offset < self._tail_from:
            number, within = divmod(offset, SLICE_BYTES)
            held = self._sealed[number]
        else:
            number = bisect_right(self._starts, offset) - 1
            held, within = self._tail[number], offset - self._starts[number]
        return memoryview(held)[within:] if within else held

    def drop_before(self, offset: int) -> list[bytes]:
        """Let go of what nobody will read again, and return it: senders may hold it.

        From the first call on the body is a window: it does not become slices any more.
        """
        self._whole = False
        before, dropped = self.dropped_bytes, list[bytes]()
        for number in range(before // SLICE_BYTES, min(offset, self._tail_from) // SLICE_BYTES):
            if self._sealed[number:]:
                dropped.append(self._sealed[number])
                self._sealed[number] = b""
                self.dropped_bytes = (number + 1) * SLICE_BYTES
        read = 0  # pieces of the tail
        while read < len(self._tail) and self._starts[read] + len(self._tail[read]) <= offset:
            read += 1
        if read:
            self.dropped_bytes = self._starts[read - 1] + len(self._tail[read - 1])
            self._tail_from = self.dropped_bytes
            dropped += self._tail[:read]
            del self._tail[:read], self._starts[:read]
        return dropped

    def held(self) -> list[bytes]:
        """Every object that holds bytes of it now."""
        return [*self._sealed, *self._tail]

    def slices(self) -> list[bytes]:
        """The complete body as slices of 1 MiB, the last one shorter; readers go on in them."""
        if self._tail:
            self._sealed.append(b"".join(self._tail))
            self._tail, self._starts, self._tail_from = [], [], self.size
        return list(self._sealed)

    def _seal(self) -> list[bytes]:
        end = self._tail_from + SLICE_BYTES
        inside = bisect_right(self._starts, end - 1)
        pieces, rest, starts = self._tail[:inside], self._tail[inside:], self._starts[inside:]
        joined = list(pieces)
        over = self._starts[inside - 1] + len(pieces[-1]) - end
        if over > 0:
            rest.insert(0, pieces[-1][-over:])
            starts.insert(0, end)
            pieces[-1] = pieces[-1][:-over]
        sealed = self._join(pieces)
        self._sealed.append(sealed)
        self._tail, self._starts, self._tail_from = rest, starts, end
        return [piece for piece in joined if piece is not self._sealed[-1]]
