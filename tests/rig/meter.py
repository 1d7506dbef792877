"""What players noticed of each edge, second by second: answers, errors and the wait for a head."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

HIT, LOWER, MISS, OTHER = "hit", "valkey", "miss", "other"


def result_of(says: str) -> str:
    """From memory, from Valkey, from the origin at once, or anything else (RFC 9211)."""
    _, _, said = says.partition("; ")
    if said.startswith("hit"):
        if "detail=" not in said:
            return HIT
        return LOWER if "detail=valkey" in said else OTHER
    return MISS if said.startswith("fwd=uri-miss") and "collapsed" not in said else OTHER


@dataclass(frozen=True, slots=True)
class Sample:
    """One answer; `waited_s` is until its head came."""

    edge: str
    asked_s: float  # since the run began
    result: str
    waited_s: float
    failed: bool


@dataclass
class Meter:
    samples: list[Sample] = field(default_factory=list)

    def waits_ms(
        self, result: str, from_s: float, until_s: float, edge: str | None = None
    ) -> list[float]:
        """How long these answers took, in order of their length."""
        return sorted(
            1e3 * each.waited_s
            for each in self.between(from_s, until_s)
            if each.result == result and not each.failed and edge in (None, each.edge)
        )

    def between(self, from_s: float, until_s: float) -> Iterable[Sample]:
        return (each for each in self.samples if from_s <= each.asked_s < until_s)

    def errors(self, from_s: float, until_s: float) -> Counter[str]:
        """How many requests failed, by edge."""
        return Counter(each.edge for each in self.between(from_s, until_s) if each.failed)

    def by_second(self, edge: str) -> dict[int, Second]:
        """What came of the requests of each second."""
        found: defaultdict[int, Second] = defaultdict(Second)
        for each in self.samples:
            if each.edge == edge:
                found[int(each.asked_s)].add(each)
        return dict(found)


@dataclass
class Second:
    answers: int = 0
    errors: int = 0
    waits_ms: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, sample: Sample) -> None:
        if sample.failed:
            self.errors += 1
        else:
            self.answers += 1
            self.waits_ms[sample.result].append(1e3 * sample.waited_s)


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value that `share` of them do not exceed; NaN of nothing."""
    if not ordered:
        return math.nan
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]
