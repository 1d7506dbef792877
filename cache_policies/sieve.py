"""SIEVE (Zhang et al., NSDI 2024): a hand passes over what was hit and takes the rest in place."""

from cache_policies.eviction import SPARED_MAX, Entry, Eviction
from cache_policies.fifo import Fifo


class Sieve(Eviction[Entry]):
    """What is spared keeps its place, so newcomers are looked at before old friends are again.

    The paper's one queue and hand are two queues here: those ahead of the hand, and those that it
    has passed. When nothing is ahead of it, the hand is back at the oldest: they change roles.
    """

    def __init__(self, budget_bytes: int) -> None:
        super().__init__(budget_bytes)
        self._ahead: Fifo[Entry] = Fifo()
        self._passed: Fifo[Entry] = Fifo()

    def _place(self, entry: Entry) -> None:
        self._ahead.push(entry)

    def _victim(self) -> Entry:
        for _ in range(SPARED_MAX):
            entry = self._next()
            if entry.mark == entry.seen:
                return entry
            entry.seen = entry.mark
            self._passed.push(entry)
        return self._next()

    def _next(self) -> Entry:
        if self._ahead.oldest is None:
            self._ahead, self._passed = self._passed, self._ahead
        return self._ahead.pop()

    def _unlink(self, entry: Entry) -> bool:
        queue = entry.queue
        if queue is not self._ahead and queue is not self._passed:
            return False
        queue.remove(entry)
        return True
