"""GDSF (Cherkasova, 1998): what is hit often for its size stays, and all worth fades with time."""

from math import log2
from typing import Final

from cache_policies.eviction import SPARED_MAX, Entry, Eviction
from cache_policies.fifo import Fifo

_STEPS: Final = 4  # of worth between a number and its double


class Gdsf(Eviction[Entry]):
    """The entry with the lowest `age + hits / size` leaves, and its value becomes the age.

    Worth (hits / size) is rounded, so entries of one worth form a queue that age alone has put in
    order, and the next to leave is one of few queue heads: a heap of all would cost 130 bytes an
    entry. A hit counts when its entry comes to the head of its queue.
    """

    def __init__(self, budget_bytes: int) -> None:
        super().__init__(budget_bytes)
        self._age = 0.0
        self._queues: dict[int, Fifo[Entry]] = {}  # by step of worth
        self._worth: dict[int, float] = {}

    def _place(self, entry: Entry) -> None:
        step = round(log2((entry.mark + 1) / max(1, entry.size_bytes)) * _STEPS)
        queue = self._queues.get(step)
        if queue is None:
            queue = self._queues[step] = Fifo(step)
            self._worth[step] = 2.0 ** (step / _STEPS)
        entry.seen = entry.mark
        entry.rank = self._age
        queue.push(entry)

    def _victim(self) -> Entry:
        for _ in range(SPARED_MAX):
            queue, value = self._lowest()
            entry = queue.oldest
            assert entry is not None
            if entry.mark == entry.seen:
                self._age = value
                return self._taken(queue)
            self._place(self._taken(queue))
        return self._next()

    def _lowest(self) -> tuple[Fifo[Entry], float]:
        """The queue whose head has the lowest value, and that value."""
        lowest, value = -1, float("inf")
        worth = self._worth
        for step, queue in self._queues.items():
            of_head = queue.oldest.rank + worth[step]  # type: ignore[union-attr]
            if of_head < value:
                lowest, value = step, of_head
        return self._queues[lowest], value

    def _next(self) -> Entry:
        return self._taken(self._lowest()[0])

    def _taken(self, queue: Fifo[Entry]) -> Entry:
        entry = queue.pop()
        self._leave_if_empty(queue)
        return entry

    def _unlink(self, entry: Entry) -> bool:
        if entry.queue is None:
            return False
        queue = self._queues.get(entry.queue.name)
        if queue is None or queue is not entry.queue:
            return False
        queue.remove(entry)
        self._leave_if_empty(queue)
        return True

    def _leave_if_empty(self, queue: Fifo[Entry]) -> None:
        if queue.oldest is None:
            del self._queues[queue.name], self._worth[queue.name]
