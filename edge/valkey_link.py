"""One worker's way to the Valkey of its region: bounded waits, and a breaker for each server."""

import asyncio
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from redis import exceptions
from redis.asyncio import Redis
from redis.exceptions import MovedError, OutOfMemoryError, RedisError

from cache_policies.valkey_address import Address, Server
from cache_policies.valkey_connection import Bounds
from cache_policies.valkey_topology import FIND_EVERY_S, MOVING, known_servers
from edge.errors import StorageError
from edge.settings import Limits
from edge.tasks import Tasks
from edge.valkey_names import Name
from edge.valkey_servers import client_of, execute, find_servers
from failover.breaker import Breaker, BreakerPolicy, Signal, State, Verdict, ask, step

ASIDE_MAX: Final = 8  # under way of what nobody waits for
_PROBES: Final = 1  # at a time
FULL: Final = "full"  # there is no memory for a value

log = logging.getLogger("edge.valkey")


class LinkError(StorageError):
    """Valkey did not answer, or not with what was asked for; `detail` is the word for it."""


class NotAskedError(LinkError):
    """It was not even asked: too many wait already, or it has just failed too often."""


@dataclass(slots=True)
class _Way:
    """One server, and how it fares."""

    server: Server
    client: Redis
    breaker: Breaker


class ValkeyLink:
    """Asks the server that has a bucket; what becomes of that decides whether it is asked again."""

    def __init__(self, address: Address, *, limits: Limits, tasks: Tasks) -> None:
        self._address = address
        self._limits = limits
        self._tasks = tasks
        self._policy = BreakerPolicy(
            failures=limits.redis_failures,
            within_s=limits.redis_failures_within_s,
            probe_every_s=limits.redis_probe_s,
        )
        self._servers = known_servers(address)
        self._ways: dict[Server, _Way] = {}
        self._waits = 0
        self._aside_waits = 0
        self._find_after_mono = 0.0
        self._is_closed = False

    async def get(self, name: Name, deadline: float) -> bytes | None:
        """A value, by a deadline of the loop's clock. Raises LinkError."""
        if self._waits >= self._limits.redis_waits_max:
            raise NotAskedError("waits-max")
        self._waits += 1
        try:
            return _value(await self._run(name.bucket, deadline, "GET", name.text))
        finally:
            self._waits -= 1

    async def start_of(self, name: Name, size: int) -> bytes | None:
        """The first bytes of a value, for which no player waits. Raises LinkError."""
        command = ("GETRANGE", name.text, 0, size - 1)
        return _value(await self._aside(name.bucket, *command)) or None

    async def run(
        self, bucket: int, script: str, keys: Sequence[str], values: Sequence[str | bytes | int]
    ) -> Any:
        """What a script returns, for which no player waits. Raises LinkError."""
        return await self._aside(bucket, "EVAL", script, len(keys), *keys, *values)

    async def drop(self, name: Name) -> None:
        """Remove a value. Raises LinkError."""
        await self._aside(name.bucket, "UNLINK", name.text)

    async def look(self) -> None:
        """Find out where buckets are, if somebody can say."""
        await self._find_servers()

    def server_of(self, bucket: int) -> Server | None:
        """Who has a bucket, as far as is known."""
        return self._servers[bucket]

    def told(self) -> Iterator[tuple[str, float]]:
        """The values of the gauge `valkey_up`, by server."""
        for server, way in self._ways.items():
            place = quote(str(server), safe="/:[]")
            yield f"valkey_up {place}", float(way.breaker.state is State.CLOSED)

    async def close(self) -> None:
        """Let go of all connections."""
        self._is_closed = True
        ways, self._ways = self._ways, {}
        for way in ways.values():
            await way.client.aclose()

    async def _aside(self, bucket: int, *command: str | bytes | int) -> Any:
        if self._aside_waits >= ASIDE_MAX:  # a connection too many would count as a failure
            raise NotAskedError("aside-max")
        self._aside_waits += 1
        try:
            deadline = asyncio.get_running_loop().time() + self._limits.redis_write_s
            return await self._run(bucket, deadline, *command)
        finally:
            self._aside_waits -= 1

    async def _run(self, bucket: int, deadline: float, *command: str | bytes | int) -> Any:
        way = self._way(self._servers[bucket])
        try:
            return await self._ask(way, deadline, *command)
        except MovedError as moved:
            self._find()
            there = Server(moved.host or way.server.host, moved.port)
            self._servers = (*self._servers[:bucket], there, *self._servers[bucket + 1 :])
        try:
            return await self._ask(self._way(there), deadline, *command)
        except MovedError:
            raise LinkError("moved") from None

    def _way(self, server: Server | None) -> _Way:
        """The way to a server, if it may be gone now. Raises NotAskedError."""
        if server is None or self._is_closed:
            self._find()
            raise NotAskedError("no-server")
        way = self._ways.get(server)
        if way is None:
            way = self._ways[server] = _Way(server, self._client(server), Breaker())
        way.breaker, verdict = ask(way.breaker, time.monotonic(), self._policy)
        if verdict is Verdict.PROBE:
            self._tasks.start(self._probe(way))
            self._find()
        if verdict is not Verdict.ASK:
            raise NotAskedError("breaker-open")
        return way

    def _client(self, server: Server) -> Redis:
        limits = self._limits
        bounds = Bounds(
            connect_s=limits.redis_wait_s,
            reply_s=max(limits.redis_wait_s, limits.redis_write_s),
            connections=limits.redis_waits_max + ASIDE_MAX + _PROBES,
        )
        return client_of(self._address, server, bounds)

    async def _ask(self, way: _Way, deadline: float, *command: str | bytes | int) -> Any:
        """What a server answers; it counts for its breaker. Raises LinkError, MovedError."""
        try:
            async with asyncio.timeout_at(deadline):
                answer = await execute(way.client, *command)
        except MovedError:
            raise
        except MOVING as error:
            self._find()  # it answers well: this bucket is on its way to another server
            raise LinkError("moving", str(error)) from None
        except OutOfMemoryError as error:
            raise LinkError(FULL, str(error)) from None
        except (TimeoutError, exceptions.TimeoutError):
            self._note(way, Signal.FAIL, "no answer in time")
            raise LinkError("slow") from None
        except (RedisError, OSError) as error:
            self._note(way, Signal.FAIL, str(error))
            raise LinkError("failed", str(error)) from None
        self._note(way, Signal.OK)
        return answer

    async def _probe(self, way: _Way) -> None:
        try:
            async with asyncio.timeout(self._limits.redis_wait_s):
                await execute(way.client, "PING")
        except (RedisError, OSError, TimeoutError):
            self._note(way, Signal.PROBE_FAIL)
        else:
            self._note(way, Signal.PROBE_OK)

    def _note(self, way: _Way, signal: Signal, why: str = "") -> None:
        before = way.breaker
        way.breaker = step(before, signal, time.monotonic(), self._policy)
        if signal is Signal.FAIL:  # who seldom asks may never see enough of them to open it
            self._find()
        if way.breaker.state is before.state:
            return
        if way.breaker.state is State.CLOSED:
            log.info("valkey %s answers again", way.server)
        elif before.state is State.CLOSED:
            log.warning("valkey %s is not asked for a while: %s", way.server, why)

    def _find(self) -> None:
        """Have it found out where buckets are, if that was not done a moment ago."""
        now_mono = time.monotonic()
        if now_mono >= self._find_after_mono and not self._is_closed:
            self._find_after_mono = now_mono + FIND_EVERY_S
            self._tasks.start(self._find_servers())

    async def _find_servers(self) -> None:
        found = await find_servers(self._address, self._servers)
        if found is None or found == self._servers:
            return
        self._servers = found
        for server in self._ways.keys() - set(found):
            if (way := self._ways.pop(server, None)) is not None:  # another search may have
                await way.client.aclose()


def _value(answer: Any) -> bytes | None:
    return answer if isinstance(answer, bytes) else None
