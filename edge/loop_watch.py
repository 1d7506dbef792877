"""How long a worker's event loop kept everybody waiting, seen by a timer that comes late."""

import asyncio
from typing import Final

from edge.histogram import STALLS_S, Histogram

EVERY_S: Final = 0.01  # a stall is seen up to this much too short; costs 0.05 % of a core


class LoopWatch:
    """Sees stalls of one loop from `start` on; lateness below a millisecond is the loop's own."""

    def __init__(self) -> None:
        self.lateness = Histogram(STALLS_S)
        self._longest_s = 0.0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look every `EVERY_S` until `stop`."""
        self._due = loop.time() + EVERY_S
        self._timer = loop.call_at(self._due, self._look, loop)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def longest_s(self) -> float:
        """The longest stall since this was last asked, in seconds."""
        longest_s, self._longest_s = self._longest_s, 0.0
        return longest_s

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        self.see(now - self._due)
        self._due = now + EVERY_S
        self._timer = loop.call_at(self._due, self._look, loop)

    def see(self, late_s: float) -> None:
        """Take in how late the timer came."""
        self.lateness.observe(max(0.0, late_s))
        self._longest_s = max(self._longest_s, late_s)
