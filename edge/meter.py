"""Requests that a worker has taken in advance of a shared bucket, to be given out one by one."""

from __future__ import annotations

from typing import Final

from edge.limit_table import NS_PER_S, Bucket

ADVANCE_SHARE: Final = 8  # of a burst, divided by this and by the workers, is taken at once
ADVANCE_MAX: Final = 64


def advance_of(burst: int, workers: int) -> int:
    """How many requests to take at once: all workers together hold an eighth of a burst at most.

    That is how much more than its rate a client may get at once, and how much less.
    """
    return max(1, min(ADVANCE_MAX, burst // (ADVANCE_SHARE * workers)))


class Meter:
    """One worker's hold on a bucket of requests."""

    __slots__ = ("_bucket", "_burst_ns", "_each_ns", "_numbers", "left")

    def __init__(self, bucket: Bucket, *, per_s: float, burst: int, workers: int) -> None:
        self._bucket = bucket
        self._each_ns = max(1, round(NS_PER_S / per_s))
        self._burst_ns = self._each_ns * burst
        advance = advance_of(burst, workers)
        self._numbers = (advance, 1) if advance > 1 else (1,)  # what to try to take at once
        self.left = 0  # requests that were taken and not given out

    def take(self, now_ns: int) -> int:
        """Give out a request: 0. Else the ns until there is one."""
        if not self.left:
            for number in self._numbers:
                wait_ns = self._bucket.spend(number * self._each_ns, self._burst_ns, now_ns)
                if not wait_ns:
                    self.left = number
                    break
            else:
                return wait_ns
        self.left -= 1
        return 0
