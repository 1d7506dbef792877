"""What came of prewarming: what was asked for after all, and what was fetched for nothing."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from edge.look_ahead import CMCD, NEXT
from edge.prewarm_plan import WARM

TRACKED_MAX: Final = 16_384  # objects at once; nothing more is prewarmed then
UNUSED_MAX_S: Final = 3600.0  # after which nobody is expected to ask any more
SOON: Final = frozenset({NEXT, CMCD})  # reasons: somebody watches now,
SOON_S: Final = 30.0  # and has asked by then, or is gone

USED: Final = "used"
EVICTED: Final = "evicted"  # or purged, before anybody asked
UNUSED: Final = "unused"


class Prewarmed(NamedTuple):
    """One object that was fetched before anybody asked."""

    reason: str
    size_bytes: int
    since_s: float
    hits: int = 0  # that it had when it came: slices join what others have asked for
    is_due: bool = True  # somebody is expected still


class Ledger:
    """The objects of one worker that nobody has asked for yet, and the sums of all others."""

    def __init__(self) -> None:
        self._waiting: dict[str, Prewarmed] = {}  # the one that was looked at longest ago is first
        self.waiting_bytes = 0
        self.spent_bytes = 0  # of these, what counts against the budget of memory
        self.objects: Counter[tuple[str, str]] = Counter()  # by reason and what came of it
        self.bytes: Counter[tuple[str, str]] = Counter()

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, key: str) -> bool:
        return key in self._waiting

    @property
    def is_full(self) -> bool:
        """Whether no more can be tracked."""
        return len(self._waiting) >= TRACKED_MAX

    def add(self, key: str, prewarmed: Prewarmed, *, is_used: bool) -> None:
        """Note what was fetched; it may have been asked for while it came."""
        before = self._waiting.get(key)
        if before is not None:  # it was stored anew: the first one is gone
            self._settle(key, before, EVICTED)
        if is_used:
            self._sum(prewarmed, USED)
        else:
            self._waiting[key] = prewarmed
            self._count(prewarmed, 1)

    def look(
        self, hits: Callable[[str], int | None], now_s: float, limit: int
    ) -> Iterator[tuple[str, bool]]:
        """Yield those of the next `limit` objects that were asked for since the last look, and
        those for which nobody has come in time: the key, and whether it was asked for.

        `hits` is how often what is stored under a key has answered, None when nothing is.
        """
        for key in [key for key, _ in zip(self._waiting, range(limit), strict=False)]:
            prewarmed, hit = self._waiting[key], hits(key)
            if hit is None:
                self._settle(key, prewarmed, EVICTED)
            elif hit > prewarmed.hits:
                self._settle(key, prewarmed, USED)
                yield key, True
            elif now_s - prewarmed.since_s >= UNUSED_MAX_S:
                self._settle(key, prewarmed, UNUSED)
            else:  # behind those that were not looked at
                del self._waiting[key]
                self._waiting[key] = self._still_due(prewarmed, now_s)
                if self._waiting[key] is not prewarmed:
                    yield key, False

    def _still_due(self, prewarmed: Prewarmed, now_s: float) -> Prewarmed:
        """What waits on, without a part in the budget of memory once it is not expected soon."""
        is_soon = prewarmed.reason in SOON and now_s - prewarmed.since_s >= SOON_S
        if not (is_soon and prewarmed.is_due):
            return prewarmed
        overdue = prewarmed._replace(is_due=False)
        self._count(prewarmed, -1)
        self._count(overdue, 1)
        return overdue

    def _settle(self, key: str, prewarmed: Prewarmed, what: str) -> None:
        del self._waiting[key]
        self._count(prewarmed, -1)
        self._sum(prewarmed, what)

    def _count(self, prewarmed: Prewarmed, sign: int) -> None:
        self.waiting_bytes += sign * prewarmed.size_bytes
        if prewarmed.reason != WARM and prewarmed.is_due:  # else memory would hold it anyway
            self.spent_bytes += sign * prewarmed.size_bytes

    def _sum(self, prewarmed: Prewarmed, what: str) -> None:
        self.objects[prewarmed.reason, what] += 1
        self.bytes[prewarmed.reason, what] += prewarmed.size_bytes


def precision_of(values: Mapping[str, float]) -> float:
    """The share of all bytes, given the values of a node's counters."""
    sums: Counter[str] = Counter()
    for name, value in values.items():
        row, _, labels = name.partition(" ")
        if row == "prewarmed_bytes":
            sums["used" if labels.endswith(f" {USED}") else "wasted"] += value  # type: ignore[assignment]
    return precision(sums["used"], sums["wasted"])


def precision(used: float, wasted: float) -> float:
    """The share of what was prewarmed that was asked for; 1 while nothing is known."""
    return used / (used + wasted) if used + wasted > 0.0 else 1.0
