"""The most frequent of very many things, in bounded memory, with the past counting less and less.

Space-Saving (Metwally, Agrawal, El Abbadi 2005) over weights that grow with time instead of counts
that shrink (forward decay: Cormode, Shkapenyuk, Srivastava, Xu 2009): nothing is touched but what
is counted. Summaries merge (Agarwal et al. 2012).
"""

from collections.abc import Iterable, Mapping
from heapq import heapify, heappush, heapreplace
from typing import Any, Final, NamedTuple

DOUBLINGS_MAX: Final = 64.0  # of the weights, until all is scaled down


class Count(NamedTuple):
    """A decayed count: `value - error <= true count <= value`."""

    value: float
    error: float
    squares: float  # sum of each weight times its decayed weight: the variance that sampling adds

    @property
    def surely(self) -> float:
        """What was counted at least."""
        return self.value - self.error


class Frequent:
    """Counts of at most `capacity` names; a weight counts half after `half_life_s`.

    No count is off by more than the total divided by the capacity. Times are seconds of any clock
    that runs forward; what comes a little late counts as if it were on time.
    """

    __slots__ = ("_began_s", "_counts", "_floor", "_heap", "_total", "capacity", "half_life_s")

    def __init__(self, capacity: int, half_life_s: float, began_s: float = 0.0) -> None:
        self.capacity = capacity
        self.half_life_s = half_life_s
        self._began_s = began_s  # when a weight of 1 is written as 1
        self._counts: dict[str, Count] = {}  # as if at `_began_s`
        self._heap: list[tuple[float, str]] = []  # never above its name's count
        self._floor = 0.0  # a name that is not here may have this much
        self._total = 0.0

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, name: str, weight: float, now_s: float, squares: float | None = None) -> None:
        """Count a sample that stands for `weight`; or several, with the sum of their squares."""
        squares = weight * weight if squares is None else squares
        self._put(name, Count(weight, 0.0, squares), self._growth(now_s))

    def count(self, name: str, now_s: float) -> Count:
        """The count of a name; of one that is not here, what it may have at most."""
        known = self._counts.get(name, Count(self._floor, self._floor, 0.0))
        return _scaled(known, 1.0 / self._growth(now_s))

    def total(self, now_s: float) -> float:
        """The count of all names together, exact."""
        return self._total / self._growth(now_s)

    def floor(self, now_s: float) -> float:
        """What a name that is not here may have at most."""
        return self._floor / self._growth(now_s)

    def leading(self, limit: int, now_s: float) -> list[tuple[str, Count]]:
        """The names with the highest counts, highest first; equal ones by name."""
        scale = 1.0 / self._growth(now_s)
        ranked = sorted(self._at_the_top(limit), key=lambda each: (-each[1].value, each[0]))
        return [(name, _scaled(count, scale)) for name, count in ranked[:limit]]

    def merge(self, other: "Frequent", now_s: float) -> None:
        """Count what another has counted, too; both decay alike."""
        growth = self._growth(now_s)
        leading = other.leading(other.capacity, now_s)
        theirs = {name: _scaled(count, growth) for name, count in leading}
        their_floor = other.floor(now_s) * growth
        absent, unknown = Count(self._floor, self._floor, 0.0), Count(their_floor, their_floor, 0.0)
        merged = {
            name: _sum(self._counts.get(name, absent), theirs.get(name, unknown))
            for name in self._counts.keys() | theirs.keys()
        }
        ranked = sorted(merged.items(), key=lambda each: (-each[1].value, each[0]))
        dropped = ranked[self.capacity][1].value if len(ranked) > self.capacity else 0.0
        self._floor = max(self._floor + their_floor, dropped)
        self._total += other.total(now_s) * growth
        self._counts = dict(ranked[: self.capacity])
        self._index()

    def to_mapping(self, limit: int, now_s: float) -> dict[str, Any]:
        """The leading names as JSON has them; the rest is in the floor and the total."""
        ranked = self.leading(limit + 1, now_s)
        floor = self.floor(now_s)
        if len(ranked) > limit:
            floor = max(floor, ranked.pop()[1].value)
        leading = [[name, *count] for name, count in ranked]
        return {"total": self.total(now_s), "floor": floor, "leading": leading}

    @classmethod
    def from_mapping(
        cls, said: Mapping[str, Any], *, capacity: int, half_life_s: float, now_s: float
    ) -> "Frequent":
        """What `to_mapping` was called on, as of `now_s`."""
        made = cls(capacity, half_life_s, now_s)
        made._floor, made._total = float(said["floor"]), float(said["total"])
        made._counts = {name: Count(*map(float, count)) for name, *count in said["leading"]}
        made._index()
        return made

    def _at_the_top(self, limit: int) -> Iterable[tuple[str, Count]]:
        """The `limit` highest, unordered, and what equals the least of them."""
        counts = self._counts
        if not 0 < limit < len(counts):
            return counts.items()
        least = sorted([count[0] for count in counts.values()], reverse=True)[limit - 1]
        return [each for each in counts.items() if each[1][0] >= least]

    def _put(self, name: str, more: Count, growth: float) -> None:
        more = _scaled(more, growth)
        self._total += more.value
        known = self._counts.get(name)
        if known is None:
            if len(self._counts) < self.capacity:
                heappush(self._heap, (0.0, name))
            else:
                self._evict_for(name)
            known = Count(self._floor, self._floor, 0.0)
        self._counts[name] = _sum(known, more)

    def _evict_for(self, name: str) -> None:
        """Give the place of the least one to `name`; what that one had is the floor."""
        heap, counts = self._heap, self._counts
        while heap[0][0] < (now := counts[heap[0][1]].value):
            heapreplace(heap, (now, heap[0][1]))
        self._floor, least = max(self._floor, heap[0][0]), heap[0][1]
        del counts[least]
        heapreplace(heap, (self._floor, name))

    def _growth(self, now_s: float) -> float:
        """What a weight of 1 is written as at `now_s`."""
        doublings = (now_s - self._began_s) / self.half_life_s
        if doublings > DOUBLINGS_MAX:
            scale = 0.5**doublings
            self._began_s = now_s
            self._counts = {name: _scaled(count, scale) for name, count in self._counts.items()}
            self._floor *= scale
            self._total *= scale
            self._index()
            return 1.0
        return float(2.0**doublings)

    def _index(self) -> None:
        self._heap = [(count.value, name) for name, count in self._counts.items()]
        heapify(self._heap)


def _scaled(count: Count, scale: float) -> Count:
    return Count(count.value * scale, count.error * scale, count.squares * scale)


def _sum(one: Count, other: Count) -> Count:
    return Count(*(a + b for a, b in zip(one, other, strict=True)))
