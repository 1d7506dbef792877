"""Least recently used with lazy promotion: a hit only marks, eviction does the moving."""

from cache_policies.eviction import SPARED_MAX, Entry, Eviction
from cache_policies.fifo import Fifo


class Lru(Eviction[Entry]):
    """Entries leave in order of arrival; one that was hit since gets one more round (CLOCK)."""

    def __init__(self, budget_bytes: int) -> None:
        super().__init__(budget_bytes)
        self._queue: Fifo[Entry] = Fifo()

    def _place(self, entry: Entry) -> None:
        self._queue.push(entry)

    def _victim(self) -> Entry:
        for _ in range(SPARED_MAX):
            entry = self._queue.pop()
            if entry.mark == entry.seen:
                return entry
            entry.seen = entry.mark
            self._queue.push(entry)
        return self._queue.pop()

    def _next(self) -> Entry:
        return self._queue.pop()

    def _unlink(self, entry: Entry) -> bool:
        if entry.queue is not self._queue:
            return False
        self._queue.remove(entry)
        return True
