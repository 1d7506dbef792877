"""A node's list of its region's members: as configured, and as announced in Valkey."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from cache_policies.valkey_buckets import HOME, home_key
from edge.members import JOINING_S, Board, Members, announcement, configured, owners
from edge.settings import EdgeSettings
from edge.tasks import Tasks, is_cancelled

if TYPE_CHECKING:
    from edge.keeper import Keeper
    from edge.valkey_link import ValkeyLink

EVERY_S: Final = 1.0  # an announcement is renewed, and the board is read
TELL_EVERY_S: Final = 0.1  # workers that are new are told
FORGOTTEN_S: Final = 60.0  # without renewal an announcement leaves the board
BOARD: Final = home_key("members")

ANNOUNCE: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local long_ago = now - tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], -long_ago, long_ago)
if ARGV[1] ~= '' then redis.call('ZADD', KEYS[1], ARGV[2] * now, ARGV[1]) end
return {now, redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')}
"""
"""Announces who is there (1) or goes (-1); returns the time (ms), and all words with theirs."""

log = logging.getLogger("edge.members")


class Membership:
    """The supervisor's. Where there is no region it does nothing."""

    def __init__(
        self, settings: EdgeSettings, ask_all: Callable[[str], Awaitable[list[Any]]]
    ) -> None:
        """`ask_all` asks every worker a question."""
        self._settings = settings
        self._ask_all = ask_all
        self._listed = configured(list(settings.shield))
        self._announced: Members = {}
        self._board = Board()
        self._word = ""
        self._tasks = Tasks()
        self._link: ValkeyLink | None = None
        self._told: dict[Keeper, tuple[int | None, Members]] = {}
        if settings.redis is not None and settings.region_token:
            from cache_policies.valkey_address import parse_address  # noqa: PLC0415
            from edge.valkey_link import ValkeyLink  # noqa: PLC0415 0.1 s to import

            address = parse_address(settings.redis)
            self._link = ValkeyLink(address, limits=settings.limits, tasks=self._tasks)

    @property
    def members(self) -> Members:
        """All that there are; those that are configured own keys whatever they announce."""
        return self._announced | self._listed

    def put(self, members: Members) -> None:
        """Take another configured list for true; workers hear of it at once."""
        self._listed = members
        log.info("the region has %d configured members", len(members))

    async def run(self, keepers: Sequence[Keeper]) -> None:
        """Announce this edge, read of others, and tell the workers, until cancelled."""
        if not self._settings.region_token:
            return
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._tell(keepers))
                if self._link is not None:
                    group.create_task(self._follow(self._link))
        finally:
            await asyncio.shield(self._leave())

    async def status(self) -> dict[str, Any] | None:
        """What `GET /members` says; None where there is no region."""
        if not self._settings.region_token:
            return None
        told = await self._ask_all("neighbours")
        own, owning = self._settings.advertise, owners(self.members, time.monotonic())
        return {
            "edge": own or None,
            "owns_keys": own in owning,
            "announced": self._link is not None,
            "members": [
                {
                    "url": url,
                    "owns_keys": url in owning,
                    "up": all(each.get(f"edge_up {url}", 1.0) for each in told),
                    "in_flight": int(sum(each.get(f"edge_in_flight {url}", 0) for each in told)),
                }
                for url in sorted(self.members)
            ],
        }

    async def _tell(self, keepers: Sequence[Keeper]) -> None:
        limit_s = self._settings.limits.control_s
        while True:
            members = self.members
            for keeper in keepers:
                news = keeper.pid, members
                if keeper.serving.is_set() and self._told.get(keeper) != news:
                    try:
                        await keeper.ask("members", members, limit_s=limit_s)
                    except (TimeoutError, ConnectionError):
                        continue
                    self._told[keeper] = news
            await asyncio.sleep(TELL_EVERY_S)

    async def _follow(self, link: ValkeyLink) -> None:
        while not is_cancelled():
            read = await self._say(link, 1)
            if read is not None and self._settings.advertise and not self._word:
                self._word = announcement(self._settings.advertise, read[1] + JOINING_S)
                read = await self._say(link, 1)
            if read is not None:
                self._announced = self._board.read(*read, time.monotonic())
            await asyncio.sleep(EVERY_S)

    async def _say(self, link: ValkeyLink, here: int) -> tuple[dict[str, float], float] | None:
        """Renew this edge's word; return the board and its time, None when it cannot be had."""
        from edge.valkey_link import LinkError  # noqa: PLC0415

        values = (self._word, here, int(FORGOTTEN_S * 1000))
        try:
            answer = await link.run(HOME, ANNOUNCE, [BOARD], values)
        except LinkError as error:
            if not self._announced:
                self._word = ""  # it is said for the first time yet
            log.debug("the board of members: %s", error)
            return None
        now_ms, board = answer
        words = [word.decode("utf-8", "replace") for word in board[::2]]
        return dict(zip(words, map(float, board[1::2]), strict=True)), now_ms / 1000

    async def _leave(self) -> None:
        if self._link is not None:
            if self._word:
                await self._say(self._link, -1)
            await self._tasks.close()
            await self._link.close()
