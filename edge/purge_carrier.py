"""Hears in Valkey what a region's origin purges, and notes there that this edge has done so."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from cache_policies.valkey_address import Server, parse_address
from cache_policies.valkey_buckets import BUCKETS, HOME, PREFIX
from cache_policies.valkey_connection import Bounds
from edge.log_page import Carried, FeedError, parse_carried
from edge.receipts import Receipt
from edge.settings import EdgeSettings
from edge.tasks import Tasks, is_cancelled
from edge.valkey_link import LinkError, ValkeyLink
from edge.valkey_servers import client_of

CHANNEL: Final = f"{PREFIX}:purges"
ACK_S: Final = 60  # for which a list of those that have carried out an order is kept
RETRY_EVERY_S: Final = 0.5
PING_EVERY_S: Final = 2.0  # while nothing is heard; after three of them the connection is given up
_PINGS: Final = 3
_CONNECT_S: Final = 1.0
_ACK_NAME: Final = re.compile(rf"{PREFIX}:\{{b(\d\d)\}}:acks:[\w-]{{1,64}}", re.ASCII)
_SAID: Final = frozenset({"workers", "error"})  # of a receipt
_NOTE: Final = """#!lua flags=allow-oom
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
"""

log = logging.getLogger("edge.purges")


class PurgeCarrier:
    """A supervisor's; whatever it misses is read in the log."""

    def __init__(
        self,
        settings: EdgeSettings,
        *,
        hear: Callable[[Carried], Awaitable[tuple[Receipt, dict[str, Any]]]],
        name: Callable[[], dict[str, Any]],
    ) -> None:
        """`hear` carries out what is told, or raises FeedError."""
        assert settings.redis is not None
        self._address = parse_address(settings.redis)
        self._tasks = Tasks()
        self._link = ValkeyLink(self._address, limits=settings.limits, tasks=self._tasks)
        self._hear = hear
        self._name = name
        self.is_listening = False

    async def run(self, missed: Callable[[], None]) -> None:
        """Listen until cancelled; say each time when something may have been `missed`."""
        while not is_cancelled():
            try:
                await self._listen(missed)
            except (RedisError, OSError, TimeoutError) as error:
                if self.is_listening:
                    log.info("valkey no longer tells of purges: %s", error)
            finally:
                self.is_listening = False
            await asyncio.sleep(RETRY_EVERY_S)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._tasks.close()
        await self._link.close()

    async def _listen(self, missed: Callable[[], None]) -> None:
        """Hear the server where acknowledgements go, until it is gone, or these go elsewhere.

        Where it has moved the first of them is told; until then others bring what is said there.
        Raises RedisError, OSError, TimeoutError.
        """
        await self._link.look()
        server = self._link.server_of(HOME)
        if server is None:
            return
        bounds = Bounds(_CONNECT_S, _CONNECT_S, connections=1)
        client = client_of(self._address, server, bounds)
        try:
            async with client.pubsub() as channel:
                await channel.subscribe(CHANNEL)
                await self._hear_all(server, channel, missed)
        finally:
            with suppress(RedisError, OSError):
                await client.aclose()

    async def _hear_all(self, server: Server, channel: PubSub, missed: Callable[[], None]) -> None:
        silent = 0
        while self._link.server_of(HOME) == server and not is_cancelled():
            said = await channel.get_message(timeout=PING_EVERY_S)
            if said is None:
                silent += 1
                if silent > _PINGS:
                    raise TimeoutError("no answer")
                await channel.ping()
                continue
            silent = 0
            if said["type"] == "subscribe":  # what was said until now nobody heard
                self.is_listening = True
                missed()
            elif said["type"] == "message":
                await self._take(said["data"], missed)

    async def _take(self, data: bytes, missed: Callable[[], None]) -> None:
        began_mono = time.monotonic()
        try:
            carried = parse_carried(data)
        except FeedError as error:
            log.warning("%s: %s", CHANNEL, error)
            return
        try:
            receipt, told = await self._hear(carried)
        except FeedError as error:
            missed()
            told = {"log": carried.log, "number": 0, "error": str(error), **self._name()}
        else:
            told |= {name: said for name, said in receipt.to_mapping().items() if name in _SAID}
        told["ms"] = round((time.monotonic() - began_mono) * 1000.0, 3)
        if found := _ACK_NAME.fullmatch(carried.ack):
            bucket = int(found[1])
            if bucket < BUCKETS:
                await self._note(bucket, carried.ack, told)

    async def _note(self, bucket: int, name: str, told: dict[str, Any]) -> None:
        with suppress(LinkError):  # who asked hears of it on another way, or names this edge
            await self._link.run(bucket, _NOTE, [name], [json.dumps(told), ACK_S])
