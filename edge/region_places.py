"""How a process's own count of purges and the numbers of a region's log lead to each other.

Another's entry says up to which number its fill knew the log. Here it counts as of the local
sequence at which that number was reached, and whatever was published later may have purged it.
"""

from __future__ import annotations

from bisect import bisect_right
from hashlib import blake2b
from typing import Final, NamedTuple, Protocol

POINTS_MAX: Final = 16_384  # remembered; half of them are forgotten at once
LOG_ID_BYTES: Final = 8


class RegionPoint(NamedTuple):
    """What a published purge says of a region's log: all purges up to this number are published."""

    log_id: bytes
    number: int
    counts_as: int  # the local sequence that another's entry of this number is as old as, at least
    until: int = 0  # nothing can be told before this number is reached: there was more in the log


class Places(Protocol):
    """Tells others how old an entry is, and how old theirs are here."""

    @property
    def log_id(self) -> bytes | None:
        """The log that numbers count in; None while nothing can be told."""

    def number_of(self, sequence: int) -> int | None:
        """The number up to which who had applied `sequence` knew the log; None if nobody knows."""

    def sequence_of(self, number: int) -> int | None:
        """The local sequence that an entry of that number counts as; None if nobody knows."""


class OwnPlaces:
    """Without a region's log: a node's own count is all there is."""

    __slots__ = ("log_id",)

    def __init__(self, log_id: bytes | None) -> None:
        self.log_id = log_id

    def number_of(self, sequence: int) -> int:
        """The same."""
        return sequence

    def sequence_of(self, number: int) -> int:
        """The same."""
        return number


class RegionPlaces:
    """The points that a process has passed, in order. Both ways never lead to later than is known.

    A number that is not known yet counts as the last one that is.
    """

    __slots__ = ("_counts_as", "_known_id", "_numbers", "_points_max", "_sequences", "_until")

    def __init__(self, points_max: int = POINTS_MAX) -> None:
        self._known_id: bytes | None = None
        self._until = 0
        self._points_max = points_max
        self._sequences: list[int] = []
        self._numbers: list[int] = []
        self._counts_as: list[int] = []

    @property
    def log_id(self) -> bytes | None:
        """The log that numbers count in; None while not all of it is known that once was."""
        return self._known_id if self.number >= self._until else None

    @property
    def number(self) -> int:
        """The last number that was reached; -1 when none was."""
        return self._numbers[-1] if self._numbers else -1

    @property
    def counts_as(self) -> int:
        """The local sequence that this number counts as; 0 when none was reached."""
        return self._counts_as[-1] if self._counts_as else 0

    def note(self, sequence: int, point: RegionPoint) -> None:
        """Pass a point that was published as `sequence`; one that is known changes nothing.

        A lower number later on is of a log that was begun anew: nothing is known of those before.
        """
        if self._sequences and sequence <= self._sequences[-1]:
            return
        if point.log_id != self._known_id or point.number <= self.number:
            self.forget()
            self._known_id = point.log_id
        self._until = point.until
        counts_as = min(point.counts_as, sequence)
        self._counts_as.append(max([counts_as, *self._counts_as[-1:]]))
        self._sequences.append(sequence)
        self._numbers.append(point.number)
        if len(self._numbers) > self._points_max:
            for points in (self._sequences, self._numbers, self._counts_as):
                del points[: self._points_max // 2]

    def forget(self) -> None:
        """Know nothing any more, not even of which log."""
        self._known_id = None
        self._sequences, self._numbers, self._counts_as = [], [], []

    def number_of(self, sequence: int) -> int | None:
        """The number that was reached by a local sequence."""
        at = bisect_right(self._sequences, sequence) - 1
        return None if at < 0 or self.log_id is None else self._numbers[at]

    def sequence_of(self, number: int) -> int | None:
        """The local sequence that a number counts as."""
        at = bisect_right(self._numbers, number) - 1
        return None if at < 0 or self.log_id is None else self._counts_as[at]


def log_id_of(name: str) -> bytes:
    """What stands for a log's name in records."""
    return blake2b(name.encode(), digest_size=LOG_ID_BYTES).digest()
