"""Takes samples of a worker's requests on the serving path, and reads them off it."""

import asyncio
from collections.abc import Callable
from math import log1p
from random import random
from time import monotonic
from typing import Final

from edge.accounts import Asking
from edge.audience import Sample
from edge.heads import Facts

PER_S: Final = 250.0  # samples that a worker reads: some 80 us each, 2 % of a core
WAITING_MAX: Final = 64  # samples, each with a request's field lines
READ_EVERY_S: Final = 0.02  # few at a time: 25 every 100 ms would keep players waiting for 2 ms
READ_MAX_S: Final = 0.0005  # then others have their turn
LOOK_EVERY_S: Final = 1.0  # at how many requests there are
WEIGHT_MAX: Final = 1 << 20
_NEVER: Final = 1 << 62


class Sampler:
    """Every request is taken with the same chance, 1 / `weight`, which follows the load.

    `left` is counted down by a serving path; it is geometrically distributed, so it may be drawn
    anew at any time. Until `start` nothing is taken.
    """

    __slots__ = (
        "_chance",
        "_clock",
        "_gather",
        "_look_mono",
        "_loop",
        "_seen",
        "_timer",
        "_waiting",
        "left",
        "lost",
        "weight",
    )

    def __init__(
        self,
        gather: Callable[[Sample], None] | None = None,
        *,
        draw: Callable[[], float] = random,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.left = _NEVER  # requests until the next sample, that one included
        self.weight = 1
        self.lost = 0  # requests that samples stood for which there was no room for
        self._gather, self._chance, self._clock = gather, draw, clock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: list[Sample] = []
        self._seen = 0  # requests that samples stand for, since the last look
        self._look_mono = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take samples, if somebody gathers them, and read them on this loop."""
        if self._gather is not None:
            self._loop = loop
            self._look_mono = self._clock()
            self.left = 1

    def stop(self) -> None:
        """Take no more; what waits is dropped."""
        self.left = _NEVER
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()

    def take(self, target: bytes, facts: Facts, address: bytes, status: int) -> None:
        """Take a plain hit, after `left` was counted down to 0."""
        sample = Sample(target, facts.prefix, facts.fields, address, self.weight)
        self._take(facts.method, status, sample)

    def answered(self, asking: Asking, status: int) -> None:
        """Count an answer that was no plain hit, and take it if it is its turn."""
        self.left -= 1
        if not self.left:
            sample = Sample(
                asking.target, asking.prefix, asking.fields, asking.address, self.weight
            )
            self._take(asking.method, status, sample)

    def _take(self, method: bytes, status: int, sample: Sample) -> None:
        self._seen += self.weight
        if method == b"GET" and 200 <= status < 400:
            self._keep(sample)
        self._draw()

    def _keep(self, sample: Sample) -> None:
        if len(self._waiting) < WAITING_MAX:
            self._waiting.append(sample)
        else:  # a burst: less of what comes
            self.lost += self.weight
            self.weight = min(self.weight * 2, WEIGHT_MAX)
        if self._timer is None and self._loop is not None:
            self._timer = self._loop.call_later(READ_EVERY_S, self._read)

    def _draw(self) -> None:
        chance = 1.0 / self.weight
        self.left = 1 if chance == 1.0 else 1 + int(log1p(-self._chance()) / log1p(-chance))

    def _read(self) -> None:
        """Read what waits, as long as it takes no longer than `READ_MAX_S`."""
        waiting, gather, began_mono = self._waiting, self._gather, self._clock()
        assert gather is not None
        assert self._loop is not None
        read = 0
        while read < len(waiting) and self._clock() - began_mono < READ_MAX_S:
            gather(waiting[read])
            read += 1
        del waiting[:read]
        self._adapt(began_mono)
        again = waiting or self.weight > 1  # a weight that is too high must come down
        self._timer = self._loop.call_later(READ_EVERY_S, self._read) if again else None

    def _adapt(self, now_mono: float) -> None:
        """Choose the weight by what came since the last look."""
        past_s = now_mono - self._look_mono
        if past_s < LOOK_EVERY_S:
            return
        weight = min(max(1, round(self._seen / past_s / PER_S)), WEIGHT_MAX)
        self._seen, self._look_mono = 0, now_mono
        if weight != self.weight:
            self.weight = weight
            self._draw()
