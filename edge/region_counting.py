"""As of which local sequence numbers of a region's log count where local orders lie in between.

An order given at this edge alone has no number. Others' entries are from before it, for all that is
known, until a reading of the log that began later shows where the log was: numbers beyond that came
after the order.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counting:
    """The supervisor's; sequences are those of the node's page."""

    counts_as: int = 0  # of the last number
    last_local: int = 0  # sequence of the last order without a number
    read_at: int = 0  # the page's sequence when the last reading of the log began,
    read_to: int | None = None  # and the log's last number then; None when there was none

    def local(self, sequence: int) -> None:
        """An order without a number was published."""
        self.last_local = sequence

    def read(self, began_at: int, last: int) -> None:
        """A reading of the log, which began at a local sequence, has shown its last number."""
        self.read_at, self.read_to = began_at, last

    def begin(self) -> None:
        """Another log counts from now on."""
        self.counts_as, self.read_to = 0, None

    def count(self, sequence: int, number: int) -> int:
        """What the next number, published as `sequence`, counts as."""
        if self.last_local <= self.counts_as:
            self.counts_as = sequence
        elif self.read_to is not None and number > self.read_to:
            after = sequence if self.last_local <= self.read_at else self.read_at
            self.counts_as = max(self.counts_as, after)
        return self.counts_as
