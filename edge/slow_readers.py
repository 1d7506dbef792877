"""Whose connections end when memory is short: players that hold much of it and hardly read."""

import time
from typing import Any, Final

from edge.counters import Counters
from edge.heap import trim_heap

RELIEF_EVERY_S: Final = 0.1  # looking at every connection is not free
PATIENCE_S: Final = 2.0  # with a slow reader, when memory begins to be short
PATIENCE_MIN_S: Final = 0.2  # when nothing more fits


class SlowReaders:
    """The connections of one worker, by listener."""

    def __init__(self, connections: list[set[Any]], counters: Counters, min_bps: int) -> None:
        self._connections = connections
        self._counters = counters
        self._min_bps = min_bps
        self._relieved_mono = 0.0

    def cut(self, shortage: float) -> None:
        """End those that read too slowly for this shortage, of 0 to 1."""
        now_mono = time.monotonic()
        if now_mono - self._relieved_mono < RELIEF_EVERY_S:
            return
        self._relieved_mono = now_mono
        patience_s = max(PATIENCE_MIN_S, PATIENCE_S * (1.0 - shortage))
        for connection in [each for listener in self._connections for each in listener]:
            if connection.reads_slower_than(self._min_bps, patience_s, now_mono):
                connection.transport.abort()
                self._counters.readers_cut += 1
        trim_heap()
