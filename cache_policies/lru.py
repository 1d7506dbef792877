"""Least recently used with lazy promotion: a hit only marks, eviction does the moving."""

from collections import OrderedDict
from typing import Generic, Protocol, TypeVar


class Evictable(Protocol):
    """What eviction knows of an entry. A hit sets `mark` to 1: the whole cost of recency."""

    mark: int
    size_bytes: int


Entry = TypeVar("Entry", bound=Evictable)


class Lru(Generic[Entry]):
    """Chooses victims so that `used_bytes` stays within `budget_bytes`. Holds keys and entries.

    Entries leave in order of arrival; one that was hit since gets one more round (CLOCK).
    """

    SECOND_CHANCES_MAX = 64
    """Entries spared per call: bounds the pause when everything was hit since the last sweep."""

    def __init__(self, budget_bytes: int) -> None:
        self.budget_bytes = budget_bytes
        self.used_bytes = 0
        self._queue: OrderedDict[bytes, Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._queue)

    def admit(self, key: bytes, entry: Entry) -> list[tuple[bytes, Entry]]:
        """Add or replace an entry; return the victims, which are already gone from here.

        An entry that is larger than the budget is its own only victim.
        """
        victims = [(key, replaced)] if (replaced := self.remove(key)) is not None else []
        if entry.size_bytes > self.budget_bytes:
            return [*victims, (key, entry)]
        victims += self.shrink(self.budget_bytes - entry.size_bytes)
        self._queue[key] = entry
        self.used_bytes += entry.size_bytes
        return victims

    def remove(self, key: bytes) -> Entry | None:
        """Forget an entry and return it; None when it is not here."""
        entry = self._queue.pop(key, None)
        if entry is not None:
            self.used_bytes -= entry.size_bytes
        return entry

    def shrink(self, to_bytes: int) -> list[tuple[bytes, Entry]]:
        """Evict until at most `to_bytes` are used; return the victims."""
        victims = []
        spared = 0
        while self.used_bytes > to_bytes and self._queue:
            key, entry = self._queue.popitem(last=False)
            if entry.mark and spared < self.SECOND_CHANCES_MAX:
                entry.mark = 0
                spared += 1
                self._queue[key] = entry
            else:
                self.used_bytes -= entry.size_bytes
                victims.append((key, entry))
        return victims
