"""Places at origins: how many requests are with them at once, each title having its share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from edge.errors import CrowdedError
from edge.fair_share import FairShare, Queues
from edge.ticket import Stay

RETRY_MAX_S: Final = 60


@dataclass(slots=True)
class Place:
    """One request's; whoever has it leaves it once."""

    _places: Places | None
    _title: bytes
    _since_s: float

    def leave(self) -> None:
        """The exchange is over; more than once is once."""
        places, self._places = self._places, None
        if places is not None:
            places.leave(self._title, self._since_s)


class Places:
    """Those of one worker."""

    def __init__(self, places: int, wait_s: float) -> None:
        self.share = FairShare(places)
        self._queues = Queues[asyncio.Future[None]](self.share)
        self._wait_s = wait_s
        self._stay = Stay()

    def __len__(self) -> int:
        """How many wait."""
        return len(self._queues)

    async def enter(self, title: bytes) -> Place:
        """Wait for a place. Raises CrowdedError when there is none in time."""
        loop = asyncio.get_running_loop()
        waiting = loop.create_future()
        if not self._queues.arrive(title, waiting):
            try:
                async with asyncio.timeout(self._wait_s):
                    # cancelling must not end it: its turn may come before this task runs again
                    await asyncio.shield(waiting)
            except BaseException as error:
                if waiting.done():
                    self.leave(title, loop.time())  # it had its place just now
                else:
                    self._queues.give_up(title, waiting)
                if isinstance(error, TimeoutError):
                    raise CrowdedError("title-share", retry_after_s=self._soon_s(title)) from None
                raise
        return Place(self, title, loop.time())

    def leave(self, title: bytes, since_s: float) -> None:
        """Let those go on who wait for a place that is free now."""
        self._stay.lasted(asyncio.get_running_loop().time() - since_s)
        for waiting in self._queues.leave(title):
            waiting.set_result(None)

    def _soon_s(self, title: bytes) -> int:
        """Whole seconds until those who wait now have gone through."""
        held = max(1, self.share.by_title[title])
        wait_s = self._stay.s * (1 + self._queues.ahead(title) / held)
        return max(1, min(RETRY_MAX_S, round(wait_s)))
