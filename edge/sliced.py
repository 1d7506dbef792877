"""A stored response of which only some slices are there: ranges fetch, and find, what they need."""

from collections.abc import Iterable

from cache_policies.partial import Part, strong_etag
from cache_policies.stored import Stored
from edge.arena import SLICE_BYTES, Slice, Slot
from edge.body import Piece, cut
from edge.entry import Entry


def slice_field(number: int) -> tuple[bytes, bytes]:
    """Ask for one slice of a representation whose length is not known."""
    first = number * SLICE_BYTES
    return b"range", b"bytes=%d-%d" % (first, first + SLICE_BYTES - 1)


def begins_slice(part: Part, number: int) -> bool:
    """Whether a part is the answer to `slice_field`: the whole slice, as far as there is any."""
    first = number * SLICE_BYTES
    end = first + SLICE_BYTES if part.length is None else min(first + SLICE_BYTES, part.length)
    return part.first == first and part.last + 1 == end


class SlicedEntry(Entry):
    """Slices of one representation, under its strong tag (RFC 9111 §3.4).

    `fresh_until` stays 0, so the hit path takes none of them for the whole; `part_until` is what
    a hit on parts compares.
    """

    __slots__ = ("below", "etag", "part_until", "parts", "whole")

    def __init__(
        self, key: bytes, stored: Stored, length: int, parts: dict[int, Slice] | None = None
    ) -> None:
        self.parts: dict[int, Slice] = {} if parts is None else parts  # by number, oldest first
        self.whole: Entry | None = None  # what took its place, once every slice was there
        self.below: dict[str, set[int]] = {}
        """The parts of it that lower tiers have been given, by the tiers that want some."""
        self.part_until = 0.0
        self.etag = strong_etag(stored.head) or b""
        super().__init__(key, stored, [], length)
        self.size_bytes -= length - sum(map(len, self.parts.values()))

    def freshen(self, stored: Stored) -> None:
        """Take a new head for the same body (RFC 9111 §4.3.4)."""
        super().freshen(stored)
        self.part_until, self.fresh_until = self.fresh_until, 0.0

    def outdate(self) -> None:
        """Nor with a part of it."""
        super().outdate()
        self.part_until = self.fresh_until

    def steer(self) -> None:
        """Nor with a part of it, since players get another whole."""
        super().steer()
        self.part_until = self.fresh_until

    def twin(self, stored: Stored) -> "SlicedEntry":
        """The same slices under another head, unstored."""
        return SlicedEntry(self.key, stored, self.length, self.parts)

    def held(self) -> Iterable[Slice]:
        """Every slice that is there."""
        return self.parts.values()

    def span(self, number: int) -> tuple[int, int]:
        """The first and last byte of a slice."""
        first = number * SLICE_BYTES
        return first, min(first + SLICE_BYTES, self.length) - 1

    def slice(self, number: int) -> Slice | None:
        """A slice, if it is there."""
        return self.whole.slices[number] if self.whole is not None else self.parts.get(number)

    def move(self, number: int, slot: Slot) -> None:
        """Have a slice lie somewhere else."""
        if number in self.parts:
            self.parts[number] = slot

    def has(self, first: int, last: int) -> bool:
        """Whether these bytes are all there."""
        numbers = range(first // SLICE_BYTES, last // SLICE_BYTES + 1)
        return all(self.slice(number) is not None for number in numbers)

    def pieces(self, first: int, last: int) -> list[Piece]:
        """Bytes that are all there, without copying them."""
        return cut(self.slice, first, last)

    def add(self, number: int, data: bytes, bytes_max: int) -> list[Slice]:
        """Add a slice; return the oldest ones, let go of so that at most `bytes_max` remain."""
        dropped = []
        held_bytes = sum(map(len, self.parts.values()))
        while self.parts and held_bytes + len(data) > bytes_max:
            oldest = self.parts.pop(next(iter(self.parts)))
            dropped.append(oldest)
            held_bytes -= len(oldest)
        self.parts[number] = data
        self.size_bytes += len(data) - sum(map(len, dropped))
        return dropped

    @property
    def is_complete(self) -> bool:
        """Whether no slice is missing."""
        return len(self.parts) * SLICE_BYTES >= self.length

    def become_whole(self) -> Entry:
        """The entry that takes this one's place; who still reads here reads on there."""
        slices = [self.parts[number] for number in range(len(self.parts))]
        self.whole = Entry(self.key, self.stored, slices)
        self.whole.mark = self.mark
        if self.is_outdated:
            self.whole.outdate()
        self.parts = {}
        return self.whole
