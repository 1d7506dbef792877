"""Where the buckets of a region are now: asked of those who know, beside serving."""

import asyncio
from contextlib import suppress
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.connection import (
    Connection,
    ConnectionPool,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from cache_policies.valkey_address import Address, Server
from cache_policies.valkey_connection import Bounds, Connections, pool_options
from cache_policies.valkey_topology import (
    FIND_S,
    Servers,
    TopologyError,
    found_servers,
    question,
    who_may_know,
)

_KINDS: Final = Connections(Connection, SSLConnection, UnixDomainSocketConnection)


def client_of(address: Address, server: Server, bounds: Bounds) -> Redis:
    """A client of one server, which tries nothing twice."""
    options = pool_options(address, server, _KINDS, bounds)
    return Redis.from_pool(ConnectionPool(**options, retry=Retry(NoBackoff(), 0)))


async def execute(client: Redis, *command: str | bytes | int) -> Any:
    """What a server answers to a command. Raises RedisError, OSError."""
    return await client.execute_command(*command)  # type: ignore[no-untyped-call]


async def find_servers(address: Address, known: Servers) -> Servers | None:
    """Where the buckets are by the first that can say; None when nobody can, or has to."""
    for server in who_may_know(address, known):
        with suppress(RedisError, OSError, TimeoutError, TopologyError):
            async with asyncio.timeout(FIND_S):
                return await _ask(address, server)
    return None


async def _ask(address: Address, server: Server) -> Servers:
    asker, words = question(address)
    client = client_of(asker, server, Bounds(FIND_S, FIND_S, connections=1))
    try:
        return found_servers(address, await execute(client, *words), server)
    finally:
        await client.aclose()
