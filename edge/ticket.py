"""What a request holds of limits while it is answered: places, and turns for its body."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from edge.limit_table import NS_PER_S, Bucket

BURST_S: Final = 1.0  # of a bandwidth: what it brings in this time may leave at once
BURST_NS: Final = round(BURST_S * NS_PER_S)
_WEIGHT: Final = 1 / 16  # of the last one, in an average


@dataclass(slots=True)
class Stay:
    """How long requests that hold something take, on average."""

    s: float = 1.0  # where nothing is known yet

    def lasted(self, s: float) -> None:
        """Take in one more."""
        self.s += (s - self.s) * _WEIGHT


@dataclass(slots=True)
class Ticket:
    """One request's, until it has been answered."""

    stay: Stay
    began_ns: int
    held: list[tuple[Bucket, int]] = field(default_factory=list)
    paced: list[tuple[Bucket, float]] = field(default_factory=list)  # with the ns for a byte

    def pay(self, size_bytes: int, now_ns: int) -> float:
        """Pay for bytes of a body; return the seconds until they may leave."""
        waits_ns = [
            bucket.charge(round(size_bytes * each_ns), BURST_NS, now_ns)
            for bucket, each_ns in self.paced
        ]
        return max(waits_ns, default=0) / NS_PER_S

    def leave(self, now_ns: int) -> None:
        """The request has been answered; more than once is once."""
        if self.held:
            self.stay.lasted(max(0, now_ns - self.began_ns) / NS_PER_S)
        self.give_up()

    def give_up(self) -> None:
        """The request is not answered after all: that says nothing about how long any takes."""
        while self.held:
            bucket, row = self.held.pop()
            bucket.leave(row)
