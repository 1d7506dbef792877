"""When a vantage asks a target next: at each interval, sooner while that may change its vote."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from failover.evidence import Round
from failover.model import Detection
from failover.votes import EMPTY, Ballot, Vote, counted

ON_THE_WAY_MAX: Final = 4  # rounds of one target; a next one is left out


@dataclass(slots=True)
class Rhythm:
    """One target's rounds at one vantage. Those of an interval begin when they are due.

    Between them another one begins while failures in a row, with rounds on their way that may be
    failures too, are fewer than make a vote: so `fall` of them take little longer than the fault.
    """

    detection: Detection
    due_mono: float
    begun: int = 0  # rounds so far
    on_the_way: int = 0
    left_out: int = 0  # not begun, since earlier ones had not ended
    ballot: Ballot = EMPTY  # what this vantage votes, as far as it has heard itself
    _begun_mono: float = float("-inf")
    _took_s: float = float("inf")  # of the last round that ended

    @property
    def look_mono(self) -> float:
        """When to look next whether a round begins."""
        return min(self.due_mono, self._begun_mono + self.detection.interval_failing_s)

    @property
    def is_in_doubt(self) -> bool:
        """Whether another round would tell sooner if the target is down.

        A round that takes longer than the one before it may be a failure that is not known yet.
        """
        if self.ballot.vote is Vote.DOWN:
            return False
        in_a_row = _trailing_ones(self.ballot.failed)
        is_late = self.on_the_way > 0 and self._took_s < self.detection.interval_failing_s
        may_fail = in_a_row + self.on_the_way
        return (in_a_row > 0 or is_late) and may_fail < self.detection.fall

    def begin(self, now_mono: float, *, is_due: bool) -> int | None:
        """Return the number of a round that begins now; None if it is left out."""
        self._begun_mono = now_mono
        if is_due:  # what was slept through is not made up
            self.due_mono = max(self.due_mono + self.detection.interval_s, now_mono)
        if self.on_the_way >= ON_THE_WAY_MAX:
            self.left_out += 1
            return None
        self.begun, self.on_the_way = self.begun + 1, self.on_the_way + 1
        return self.begun

    def end(self, seen: Round, now_mono: float) -> tuple[Round, bool]:
        """Return a round that has ended as it is told, and whether it has turned the vote down."""
        before = self.ballot
        seen = seen._replace(number=before.number + 1)
        self.ballot = counted(before, seen, self.detection, now_mono)
        self._took_s = seen.took_ms / 1_000.0
        return seen, self.ballot.vote is Vote.DOWN and before.vote is not Vote.DOWN


def _trailing_ones(bits: int) -> int:
    return (bits ^ (bits + 1)).bit_length() - 1
