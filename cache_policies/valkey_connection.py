"""How a client connects to a server of Valkey's, whether it blocks or not."""

import ssl
from typing import Any, NamedTuple

from cache_policies.valkey_address import Address, Server


class Connections(NamedTuple):
    """The classes of redis-py for each way to a server."""

    plain: type
    tls: type
    unix: type


class Bounds(NamedTuple):
    """What a client may take."""

    connect_s: float
    reply_s: float  # for each piece of an answer
    connections: int


def pool_options(
    address: Address, server: Server, kinds: Connections, bounds: Bounds
) -> dict[str, Any]:
    """What a pool of redis-py is told for one server; it says nothing but what it is told."""
    options: dict[str, Any] = {
        "username": address.username,
        "password": address.password,
        "db": address.database,
        "socket_connect_timeout": bounds.connect_s,
        "socket_timeout": bounds.reply_s,
        "protocol": 2,
        "driver_info": None,
        "max_connections": bounds.connections,
    }
    if not server.port:
        return options | {"connection_class": kinds.unix, "path": server.host}
    options |= {"host": server.host, "port": server.port}
    if not address.tls:
        return options | {"connection_class": kinds.plain}
    return options | {
        "connection_class": kinds.tls,
        "ssl_min_version": ssl.TLSVersion.TLSv1_2,
        "ssl_ca_certs": address.ca_file,
    }
