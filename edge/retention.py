"""How many go on from one segment to the next, learnt from samples of requests by position.

What is asked at a position counts against what was asked at the one before, of those sequences
only that have both: so short videos do not look like ones that people leave.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

POSITIONS: Final = 64  # later ones count as the last of these
USUALLY: Final = 0.8  # go on, until something is known
PRIOR: Final = 20.0  # requests that this guess stands for
TOTAL_MAX: Final = 20_000.0  # requests at one position; then all count half


class Retention:
    """Requests by position, of all sequences together or of one."""

    __slots__ = ("_asked", "_before")

    def __init__(self) -> None:
        self._asked = [0.0] * (POSITIONS + 1)  # at each position
        self._before = [0.0] * POSITIONS  # at each position that another one follows

    def add(self, position: int, weight: float, *, is_last: bool) -> None:
        """Count requests for the segment at `position`."""
        if position < POSITIONS:
            self._asked[position] += weight
            self._before[position] += 0.0 if is_last else weight
            if self._asked[position] > TOTAL_MAX:
                self._halve()
        elif position == POSITIONS:
            self._asked[position] += weight

    def goes_on(self, position: int, otherwise: float = USUALLY, prior: float = PRIOR) -> float:
        """The share of those at `position` that ask for the next segment, of 0 to 1."""
        at = min(position, POSITIONS - 1)
        share = (self._asked[at + 1] + prior * otherwise) / (self._before[at] + prior)
        return min(1.0, share)

    def curve(self) -> list[float]:
        """The share of those who began that ask for each position, as far as anybody did."""
        known = max((at for at, asked in enumerate(self._asked) if asked), default=-1)
        shares, reached = [], 1.0
        for position in range(min(known + 1, POSITIONS)):
            shares.append(reached)
            reached *= self.goes_on(position)
        return shares

    def take(self) -> list[list[float]]:
        """What was counted, as JSON has it, and begin anew."""
        taken = self.to_list()
        self.__init__()  # type: ignore[misc]
        return taken

    def to_list(self) -> list[list[float]]:
        """What was counted, as JSON has it."""
        return [self._asked[:], self._before[:]]

    def add_counted(self, counted: Sequence[Iterable[float]]) -> None:
        """Count what another has counted, as its `to_list` tells it."""
        asked, before = counted
        self._asked = [a + b for a, b in zip(self._asked, asked, strict=True)]
        self._before = [a + b for a, b in zip(self._before, before, strict=True)]
        while max(self._asked) > TOTAL_MAX:
            self._halve()

    @classmethod
    def from_list(cls, counted: Any) -> "Retention":
        """What `to_list` was called on; raises ValueError or TypeError for what is none."""
        made = cls()
        made.add_counted([[max(0.0, float(each)) for each in row] for row in counted])
        return made

    def _halve(self) -> None:
        self._asked = [each / 2.0 for each in self._asked]
        self._before = [each / 2.0 for each in self._before]
