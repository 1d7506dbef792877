"""Where the buckets of a region are now: asked of those who know, beside serving."""

import asyncio
import ssl
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.connection import ConnectionPool, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from edge.valkey_address import Address, Kind, Server
from edge.valkey_names import BUCKETS
from edge.valkey_topology import TopologyError, of_cluster, of_sentinel

FIND_S: Final = 1.0  # for one who may know; no player waits for it

Servers = tuple[Server | None, ...]  # by bucket; None where nobody is known


def client_of(
    address: Address, server: Server, *, connect_s: float, reply_s: float, connections: int
) -> Redis:
    """A client of one server, which tries nothing twice and says nothing but what it is told."""
    options: dict[str, Any] = {
        "username": address.username,
        "password": address.password,
        "db": address.database,
        "socket_connect_timeout": connect_s,
        "socket_timeout": reply_s,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        "driver_info": None,
        "max_connections": connections,
    }
    if not server.port:
        options |= {"connection_class": UnixDomainSocketConnection, "path": server.host}
    else:
        options |= {"host": server.host, "port": server.port}
        if address.tls:
            options |= {
                "connection_class": SSLConnection,
                "ssl_min_version": ssl.TLSVersion.TLSv1_2,
                "ssl_ca_certs": address.ca_file,
            }
    return Redis.from_pool(ConnectionPool(**options))


async def execute(client: Redis, *command: str | bytes | int) -> Any:
    """What a server answers to a command. Raises RedisError, OSError."""
    return await client.execute_command(*command)  # type: ignore[no-untyped-call]


def known_servers(address: Address) -> Servers:
    """Where the buckets are as far as the address itself tells."""
    if address.kind is Kind.SERVER:
        return address.servers * BUCKETS
    return (None,) * BUCKETS


async def find_servers(address: Address, known: Servers) -> Servers | None:
    """Where the buckets are by the first that can say; None when nobody can."""
    if address.kind is Kind.SERVER:
        return known
    asked = dict.fromkeys(address.servers)
    if address.kind is Kind.CLUSTER:
        asked = dict.fromkeys([*filter(None, known), *address.servers])
    for server in asked:
        with suppress(RedisError, OSError, TimeoutError, TopologyError):
            async with asyncio.timeout(FIND_S):
                return await _ask(address, server)
    return None


async def _ask(address: Address, server: Server) -> Servers:
    if address.kind is Kind.SENTINEL:  # these have no databases, and passwords of their own
        address = replace(address, username=None, password=None, database=0)
    client = client_of(address, server, connect_s=FIND_S, reply_s=FIND_S, connections=1)
    try:
        if address.kind is Kind.CLUSTER:
            return of_cluster(await execute(client, "CLUSTER SLOTS"), server)
        question = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", address.service)
        return of_sentinel(await execute(client, *question))
    finally:
        await client.aclose()
