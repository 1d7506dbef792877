"""Replays a trace through a policy, as the memory tier would call it, and counts the hits."""

import random
from collections import deque
from dataclasses import dataclass

from benchmarks.traces import Trace
from cache_policies.contest import Objective
from cache_policies.eviction import Eviction
from cache_policies.shadow import Name
from cache_policies.tournament import Tournament

STEP_S = 1.0  # of trace time between two steps of a tournament
_CANDIDATES = 64  # of which the size-aware bound evicts the dearest to keep
_NEVER = 1 << 60


@dataclass(slots=True)
class Ratio:
    """Hits and hit bytes, as shares of all."""

    objects: float
    bytes: float

    def of(self, objective: Objective) -> float:
        """The share that this objective is about."""
        return self.bytes if objective is Objective.BYTES else self.objects


class _Count:
    def __init__(self, trace: Trace) -> None:
        self.hits = self.hit_bytes = 0
        self._requests, self._bytes = len(trace), sum(trace.sizes)

    def hit(self, size: int) -> None:
        self.hits += 1
        self.hit_bytes += size

    def ratio(self) -> Ratio:
        return Ratio(self.hits / self._requests, self.hit_bytes / self._bytes)


def name_of(number: int) -> int:
    """The name hash of an object: mixed as well as that of a key."""
    return hash(b"%d" % number)


def replay(trace: Trace, policy: Eviction[Name] | Tournament[Name]) -> Ratio:
    """Return the hit ratios of a policy; a tournament is given its steps in trace time."""
    count = _Count(trace)
    index: dict[int, Name] = {}
    names: dict[int, int] = {}
    step = policy.step if isinstance(policy, Tournament) else None
    next_step_s = 0.0
    for now_s, number, size in zip(trace.times_s, trace.objects, trace.sizes, strict=True):
        if step is not None and now_s >= next_step_s:
            step(now_s)
            next_step_s = now_s + STEP_S
        entry = index.get(number)
        if entry is not None:
            entry.mark += 1
            count.hit(size)
            continue
        if number not in names:
            names[number] = name_of(number)
        entry = index[number] = Numbered(names[number], size, number)
        for victim in policy.admit(entry):
            del index[victim.number]  # type: ignore[attr-defined]
    return count.ratio()


class Numbered(Name):
    """An entry of the replayed tier."""

    __slots__ = ("number",)

    def __init__(self, name_hash: int, size_bytes: int, number: int) -> None:
        super().__init__(name_hash, size_bytes)
        self.number = number


def fifo(trace: Trace, budget_bytes: int) -> Ratio:
    """The floor: first in, first out."""
    count = _Count(trace)
    queue: deque[tuple[int, int]] = deque()
    here: set[int] = set()
    used = 0
    for number, size in zip(trace.objects, trace.sizes, strict=True):
        if number in here:
            count.hit(size)
        elif size <= budget_bytes:
            while used + size > budget_bytes:
                left, left_bytes = queue.popleft()
                here.discard(left)
                used -= left_bytes
            queue.append((number, size))
            here.add(number)
            used += size
    return count.ratio()


def belady(trace: Trace, budget_bytes: int, objective: Objective) -> Ratio:
    """The bound: what knows the future evicts, of 64 drawn entries, the dearest to keep.

    For bytes that is the one whose next request is farthest away, for objects the one with the
    largest product of that distance and its size. What is dearer than all of them is not admitted.
    With objects of many sizes no exact bound can be computed; this one is near to it.
    """
    count, chance = _Count(trace), random.Random(0)
    following = next_requests(trace)
    by_size = objective is Objective.OBJECTS
    when: dict[int, int] = {}  # object here: its next request
    size_of: dict[int, int] = {}
    drawn_from: list[int] = []
    place_of: dict[int, int] = {}
    used = 0
    for now, (number, size) in enumerate(zip(trace.objects, trace.sizes, strict=True)):
        if number in when:
            count.hit(size)
            when[number] = following[now]
            continue
        if size > budget_bytes or following[now] == _NEVER:
            continue
        when[number], size_of[number] = following[now], size
        place_of[number] = len(drawn_from)
        drawn_from.append(number)
        used += size
        while used > budget_bytes:
            few = len(drawn_from) <= _CANDIDATES
            drawn = drawn_from if few else chance.choices(drawn_from, k=_CANDIDATES)
            if by_size:
                worst = max([*drawn, number], key=lambda n: (when[n] - now) * size_of[n])
            else:
                worst = max([*drawn, number], key=when.__getitem__)
            used -= size_of.pop(worst)
            del when[worst]
            place, last = place_of.pop(worst), drawn_from.pop()
            if last != worst:
                drawn_from[place] = last
                place_of[last] = place
            if worst == number:
                break
    return count.ratio()


def next_requests(trace: Trace) -> list[int]:
    """Return for each request the place of the next one for the same object."""
    following = [_NEVER] * len(trace)
    seen: dict[int, int] = {}
    for place in range(len(trace) - 1, -1, -1):
        number = trace.objects[place]
        following[place] = seen.get(number, _NEVER)
        seen[number] = place
    return following
