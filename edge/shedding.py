"""Who is refused when a worker has more to do than it can: what is worth least, first.

Plain hits are never shed: a refusal costs as much. What is shed is what takes steps: fetches,
uploads, and what nobody waits for.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from math import exp
from typing import Final

from cache_policies.limits import PRIORITIES


class Priority(IntEnum):
    """What a request is worth (the names of `PRIORITIES`); the least number is worth most."""

    PLAYBACK = 0
    FEED = 1
    UPLOADS = 2
    TRANSCODES = 3
    PREWARMING = 4


_BY_NAME: Final = dict(zip(PRIORITIES, Priority, strict=True))
_READS: Final = frozenset({b"GET", b"HEAD", b"OPTIONS"})


def priority_of(said: str, method: bytes) -> Priority:
    """What a request is worth: what rules have `said`, "" for nothing, else by its method.

    What a request says of itself (RFC 9218) has no part in it: anybody may write that.
    """
    if said:
        return _BY_NAME[said]
    return Priority.PLAYBACK if method in _READS else Priority.UPLOADS


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a worker has to do."""

    late_s: float  # the longest that its loop was busy with its own work, since the last look
    busy: float  # the share of a core that it used
    fills: float  # the share of its fills, or of the waiters for them, that are taken


@dataclass(frozen=True, slots=True, kw_only=True)
class SheddingPolicy:
    """When to shed, and how fast to go on and back."""

    late_max_s: float = 0.25  # for its loop's own work: more is too much
    busy_max: float = 0.97  # of a core, where its loop is late, too
    late_busy_s: float = 0.05  # from here on
    fills_max: float = 0.9
    calm: float = 0.7  # of too much: below this, more is let in; between, nothing changes
    memory_s: float = 0.5  # over which loads are averaged
    closes_per_s: float = 0.5  # of the scale of `openness`, at a load just beyond too much
    opens_per_s: float = 0.1  # a fifth of that: what was too much a moment ago may still be
    least: float = 1.0  # all of playback: fills and waiters have bounds of their own


OPEN: Final = float(len(Priority))


class Shedder:
    """One worker's. `openness` falls from 5 to 0: each whole number of it is one priority's.

    At 4.3 prewarming has a chance of 0.3, at 1.5 the feed one of 0.5, and playback all of its own.
    """

    def __init__(self, policy: SheddingPolicy | None = None) -> None:
        self.policy = policy or SheddingPolicy()
        self.openness = OPEN
        self.pressure = 0.0  # 1 is too much
        self._seen_mono: float | None = None

    @property
    def is_shedding(self) -> bool:
        """Whether anything may be refused now."""
        return self.openness < OPEN

    def see(self, load: Load, now_mono: float) -> None:
        """Take in what there is to do now."""
        policy = self.policy
        past_s = 0.0 if self._seen_mono is None else max(0.0, now_mono - self._seen_mono)
        self._seen_mono = now_mono
        fresh = 1.0 - exp(-past_s / policy.memory_s)
        self.pressure += (_pressure(load, policy) - self.pressure) * fresh
        if self.pressure > 1.0:
            by = policy.closes_per_s * min(self.pressure, 2.0) * past_s
            self.openness = max(policy.least, self.openness - by)
        elif self.pressure < policy.calm:
            self.openness = min(OPEN, self.openness + policy.opens_per_s * past_s)

    def admits(self, priority: Priority, draw: float) -> bool:
        """Whether a request may begin; `draw` is chance, 0 <= draw < 1."""
        return draw < self.openness - priority

    def retry_after_s(self, priority: Priority, draw: float) -> int:
        """Whole seconds until such requests have a good chance, spread so that not all are back
        at once."""
        missing = min(1.0, OPEN - priority) - max(0.0, self.openness - priority)
        below = max(0.0, priority - self.openness)
        return max(1, round((missing + below) / self.policy.opens_per_s * (0.75 + draw / 2)))


def _pressure(load: Load, policy: SheddingPolicy) -> float:
    busy = load.busy / policy.busy_max if load.late_s >= policy.late_busy_s else 0.0
    return max(load.late_s / policy.late_max_s, busy, load.fills / policy.fills_max)
