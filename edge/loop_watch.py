"""How long a worker's event loop kept everybody waiting, seen by a timer that comes late."""

import asyncio
from time import thread_time
from typing import Final

from edge.histogram import STALLS_S, Histogram

EVERY_S: Final = 0.01  # a stall is seen up to this much too short; costs 0.05 % of a core


class LoopWatch:
    """Sees stalls of one loop from `start` on; lateness below a millisecond is the loop's own."""

    def __init__(self) -> None:
        self.lateness = Histogram(STALLS_S)
        self.recent_s = 0.0  # the worst of late; it halves every 70 ms
        self._longest_s = 0.0
        self._busiest_s = 0.0
        self._due = 0.0
        self._worked_s = 0.0  # processor time at the last look
        self._timer: asyncio.TimerHandle | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look every `EVERY_S` until `stop`."""
        self._due = loop.time() + EVERY_S
        self._worked_s = thread_time()
        self._timer = loop.call_at(self._due, self._look, loop)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def longest_s(self) -> float:
        """The longest stall since this was last asked, in seconds."""
        longest_s, self._longest_s = self._longest_s, 0.0
        return longest_s

    def busiest_s(self) -> float:
        """The longest, since this was last asked, that was this worker's own work.

        The rest of a stall is the machine's: others had the core.
        """
        busiest_s, self._busiest_s = self._busiest_s, 0.0
        return busiest_s

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now, worked_s = loop.time(), thread_time()
        self.see(now - self._due, worked_s - self._worked_s)
        self._due, self._worked_s = now + EVERY_S, worked_s
        self._timer = loop.call_at(self._due, self._look, loop)

    def see(self, late_s: float, worked_s: float) -> None:
        """Take in how late the timer came, and the processor time that was spent meanwhile."""
        self.lateness.observe(max(0.0, late_s))
        self.recent_s = max(late_s, self.recent_s * 0.9)
        self._longest_s = max(self._longest_s, late_s)
        self._busiest_s = max(self._busiest_s, min(late_s, worked_s))
