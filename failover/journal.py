"""What a vantage has seen of late, kept until a controller has heard it. Bounded."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice, takewhile
from typing import Final

from failover.answer import Answer
from failover.evidence import PlayerEvidence, Report, Round

ROUNDS_MAX: Final = 100_000  # of all targets; the oldest go first
REPORT_ROUNDS_MAX: Final = 20_000  # of those that a controller has not heard, the last ones
PART_ROUNDS_MAX: Final = 1_500  # of one answer: 3.2 MB where every one has failed at length


class Journal:
    """Numbers everything that is seen; a report is what came after the number that is known."""

    def __init__(self, vantage: str, boot: str, *, rounds_max: int = ROUNDS_MAX) -> None:
        """`boot` is another one each time the process begins."""
        self._vantage, self._boot, self._begun, self._cuts = vantage, boot, boot, 0
        self._seen: deque[tuple[int, Round | PlayerEvidence]] = deque(maxlen=rounds_max)
        self._number = 0
        self.urgent_number = 0  # of the last entry that a controller is to hear at once
        self._controls = Answer("not asked yet")
        self._followers: list[Callable[[], object]] = []

    def add(self, seen: Iterable[Round | PlayerEvidence], *, is_urgent: bool = False) -> None:
        """Keep what was seen just now; tell whoever follows if that is urgent.

        Nothing is kept while the controls fail: who cannot see has nothing to say, later neither.
        """
        if not self._controls.is_good:
            return
        for each in seen:
            self._number += 1
            self._seen.append((self._number, each))
        if is_urgent:
            self.urgent_number = self._number
            for follower in self._followers:
                follower()

    def follow(self, follower: Callable[[], object]) -> None:
        """Have somebody told that there is something urgent."""
        self._followers.append(follower)

    def is_urgent(self, after: int, boot: str) -> bool:
        """Say whether something urgent came after that number of that start."""
        return boot != self._boot or self.urgent_number > after

    def controls(self, answer: Answer) -> None:
        """Keep whether what must work for this vantage to be believed does.

        When it fails, this is another start: who could not ask meanwhile must not take what was
        seen before for what is so afterwards.
        """
        if answer.is_good is not self._controls.is_good:
            self._number += 1
            if not answer.is_good:
                self._seen.clear()
                self._cuts += 1
                self._boot = f"{self._begun}.{self._cuts}"
        self._controls = answer

    def report(self, after: int, boot: str, rounds_max: int = REPORT_ROUNDS_MAX) -> Report:
        """What was seen after number `after` of this start; all that is kept for another start.

        What is more than `rounds_max` is left for a next part, which is asked for with this one's
        number.
        """
        if boot != self._boot:
            after = 0
        last_first = takewhile(lambda each: each[0] > after, reversed(self._seen))
        fresh = [*islice(last_first, REPORT_ROUNDS_MAX)][::-1]
        part = fresh[:rounds_max]
        is_last = len(part) == len(fresh)
        return Report(
            vantage=self._vantage,
            boot=self._boot,
            number=self._number if is_last else part[-1][0],
            is_last=is_last,
            controls_ok=self._controls.is_good,
            controls_why=self._controls.why,
            is_urgent=self.urgent_number > after,
            rounds=tuple(each for _, each in part if isinstance(each, Round)),
            players=tuple(each for _, each in part if isinstance(each, PlayerEvidence)),
        )
