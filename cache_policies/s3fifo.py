"""S3-FIFO (Yang et al., SOSP 2023): a small queue on probation, a main one, and its ghosts."""

from typing import Final

from cache_policies.eviction import SPARED_MAX, Entry, Eviction
from cache_policies.fifo import Fifo
from cache_policies.ghost import Ghost

_SMALL_SHARE: Final = 0.1  # of the budget
_HITS_TO_STAY: Final = 2  # while on probation
_HITS_COUNTED: Final = 3  # rounds that an entry may earn at once


class S3Fifo(Eviction[Entry]):
    """One-hit wonders leave early: hits on probation, or a quick return, lead to the main queue.

    Queues are first in, first out; in the main one each hit, up to three, is worth a round.
    """

    def __init__(self, budget_bytes: int) -> None:
        super().__init__(budget_bytes)
        self._small: Fifo[Entry] = Fifo()
        self._main: Fifo[Entry] = Fifo()
        self._small_bytes = int(budget_bytes * _SMALL_SHARE)
        self._ghost = Ghost(budget_bytes - self._small_bytes)
        self._is_filling = True  # until the first eviction: who came first needs no probation

    def _place(self, entry: Entry) -> None:
        known = self._ghost.take(entry.name_hash) or (
            self._is_filling and self._small.used_bytes >= self._small_bytes
        )
        (self._main if known else self._small).push(entry)

    def _place_known(self, entry: Entry) -> None:
        self._main.push(entry)

    def _victim(self) -> Entry:
        self._is_filling = False
        for _ in range(SPARED_MAX):
            small = self._is_small_next()
            entry = (self._small if small else self._main).pop()
            hits = min(entry.mark - entry.seen, _HITS_COUNTED)
            if hits < (_HITS_TO_STAY if small else 1):
                if small:
                    self._ghost.add(entry.name_hash, entry.size_bytes)
                return entry
            entry.seen = entry.mark if small else entry.mark - hits + 1
            self._main.push(entry)
        return self._next()

    def _is_small_next(self) -> bool:
        return self._small.oldest is not None and (
            self._small.used_bytes >= self._small_bytes or self._main.oldest is None
        )

    def _next(self) -> Entry:
        return (self._small if self._is_small_next() else self._main).pop()

    def _unlink(self, entry: Entry) -> bool:
        queue = entry.queue
        if queue is not self._small and queue is not self._main:
            return False
        queue.remove(entry)
        return True
