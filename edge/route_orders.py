"""What a controller orders of routes: the servers of each group of origins, best first."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from edge.orders import OrderError
from edge.routes import Upstream
from edge.strict_json import NONE, Version, items, members, read_object, text, version

BODY_MAX_BYTES: Final = 32 * 1024  # a worker is given it in one message, with all else
SERVERS_MAX: Final = 16  # of a group


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteOrder:
    """A whole order. A group that it does not name has the servers of the start."""

    version: Version = NONE
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def parse_routes(body: bytes, known: Collection[str] | None = None) -> RouteOrder:
    """Return the order in a JSON body; `known` are the groups there are. Raises OrderError."""
    given = members(read_object(body, BODY_MAX_BYTES), "order", frozenset({"version", "groups"}))
    groups = given["groups"]
    if not isinstance(groups, dict):
        raise OrderError("groups: want an object")
    for name in groups:
        if known is not None and name not in known:
            raise OrderError(f"groups: this edge has no group {name!r}")
    return RouteOrder(
        version=version(given["version"]),
        groups={name: _servers(urls, f"groups.{name}") for name, urls in groups.items()},
    )


def _servers(given: Any, where: str) -> tuple[str, ...]:
    urls = tuple(_server(each, where) for each in items(given, where, SERVERS_MAX, 1))
    if len(set(urls)) != len(urls):
        raise OrderError(f"{where}: a server is there twice")
    return urls


def _server(given: Any, where: str) -> str:
    url = text(given, where, 512)
    try:
        Upstream(url)
        parts = urlsplit(url)
        is_plain = parts.scheme != "unix" and not parts.username
    except ValueError:
        is_plain = False
    if not is_plain or parts.path or parts.query or parts.fragment:
        raise OrderError(f"{where}: want http://host:port or https://host, without a path")
    return url
