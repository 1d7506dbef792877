"""Waiting for what call-backs bring, with a limit that costs little."""

import asyncio
from math import inf


class Patience:
    """One task at a time waits here. One timer serves many waits: 10 us less for each of them."""

    __slots__ = ("_future", "_loop", "_timer", "_until")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._future: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._until = inf  # of the loop's clock

    async def wait(self, limit_s: float | None) -> None:
        """Return at the next news. Raises TimeoutError after `limit_s` seconds without any."""
        self._until = inf if limit_s is None else self._loop.time() + limit_s
        if self._timer is None or self._timer.when() > self._until:
            self._set()
        self._future = self._loop.create_future()
        try:
            await self._future
        finally:
            self._future = None

    def tell(self) -> None:
        """There is news."""
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    def close(self) -> None:
        """Nobody will wait any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self) -> None:
        self.close()
        if self._until < inf:
            self._timer = self._loop.call_at(self._until, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._future is None or self._future.done():
            return  # the next wait sets it anew
        if self._loop.time() < self._until:
            self._set()
        else:
            self._future.set_exception(TimeoutError())
