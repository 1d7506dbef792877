"""Brings together what the workers of a node hear of its audience, in the supervisor."""

import asyncio
from collections.abc import Awaitable, Callable
from secrets import token_hex
from time import monotonic, time
from typing import Any, Final

from edge.audience import Audience

GATHER_EVERY_S: Final = 2.0
HOUR_S: Final = 3600.0
LIMIT_MAX: Final = 200  # names of one ranking
COUNTS_MAX: Final = 100  # names of each region, for whoever adds edges up
_SALT_BYTES: Final = 16


class Gathering:
    """A node's audience; `ask_all` asks every worker a question with a detail."""

    def __init__(self, ask_all: Callable[[str, Any], Awaitable[list[Any]]]) -> None:
        self.audience = Audience()
        self._ask_all = ask_all
        self._salt, self._salt_hour = "", 0

    async def run(self) -> None:
        """Gather again and again: what a worker holds when it dies is lost."""
        while True:
            await self.gather()  # at once: until they are given a salt, workers know no sessions
            await asyncio.sleep(GATHER_EVERY_S)

    async def gather(self) -> None:
        """Take in what the workers have heard since the last time."""
        hour = int(time() // HOUR_S)
        if hour != self._salt_hour:  # nobody can tell whether a session was here in another hour
            self._salt, self._salt_hour = token_hex(_SALT_BYTES), hour
        for taken in await self._ask_all("audience", self._salt):
            for _ in self.audience.adding(taken, monotonic(), hour):
                await asyncio.sleep(0)

    async def popular(self, region: str | None, limit: int) -> dict[str, Any]:
        """What `GET /popular` says, up to now."""
        await self.gather()
        return self.audience.told(region, limit, monotonic())

    def begin_anew(self) -> None:
        """Forget all that was heard."""
        self.audience = Audience()

    def counts(self) -> dict[str, Any]:
        """The leading stories of all regions and networks, for whoever adds edges up."""
        now_mono = monotonic()
        return {
            "counts": self.audience.stories.to_mapping(COUNTS_MAX, now_mono),
            "network_counts": self.audience.networks.counts(COUNTS_MAX, now_mono),
        }
