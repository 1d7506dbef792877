"""A loop whose clock jumps to the next thing that happens: hours of an edge's life in a second."""

import asyncio
import selectors
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

WALL_AT_START = 1_790_000_000.0


class Clock:
    """Seconds on the steady clock, and how far the wall clock is ahead of them."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.wall_ahead = WALL_AT_START  # steps when somebody sets the clock

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now + self.wall_ahead


class _Jump(selectors.DefaultSelector):
    """Waits for nothing: what would be waited for is what the clock goes on by."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list:
        if timeout is None:
            raise AssertionError("everybody waits, and nothing will ever happen")
        # no instant lasts for ever: a timer that is set for what rounding left of now comes, too
        self._clock.now += max(1e-9, timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self, clock: Clock) -> None:
        super().__init__(_Jump(clock))
        self.clock = clock
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self.clock.now


@contextmanager
def virtual_time() -> Iterator[VirtualLoop]:
    """Give a loop in whose time everything of the edge lives until the end of the block."""
    clock = Clock()
    loop = VirtualLoop(clock)
    own = [module for name, module in sys.modules.items() if name.startswith("edge.")]
    patches = [patch.object(time, "monotonic", clock.monotonic)]
    patches += [patch.object(time, "time", clock.wall)]
    patches += [
        patch.object(module, "monotonic", clock.monotonic)
        for module in own
        if hasattr(module, "monotonic")
    ]
    for each in patches:
        each.start()
    try:
        yield loop
    finally:
        _end_tasks(loop)
        for each in patches:
            each.stop()
        loop.close()


def _end_tasks(loop: VirtualLoop) -> None:
    """After a failure others still run; nobody is interested in them any more."""
    running = asyncio.all_tasks(loop)
    for task in running:
        task.cancel()
    if running:
        loop.run_until_complete(asyncio.wait(running))
