"""What a controller orders: pathways for each service, best first, and who belongs to which."""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from cache_policies.glob import Glob, parse_glob
from edge.orders import OrderError
from edge.strict_json import NONE, Version, items, members, number, read_object, text, version

BODY_MAX_BYTES: Final = 64 * 1024  # a worker is given it in one message, with all else
SERVICES_MAX: Final = 32
PLAYLISTS_MAX: Final = 32
PATHWAYS_MAX: Final = 16
PARAMS_MAX: Final = 16
TTL_MAX_S: Final = 86_400.0
HERE: Final = "here"  # the pathway of a playlist's own URIs, wherever it was loaded from

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HOST_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_NOT_OF_URIS = re.compile(r'[\s"<>\\^`{|}#]')


@dataclass(frozen=True, slots=True, kw_only=True)
class Pathway:
    """Another way to the same content: the playlist's URIs at another host."""

    id: str
    host: str  # without a port: players keep that of the playlist
    params: tuple[tuple[str, str], ...] = ()  # added to each query


@dataclass(frozen=True, slots=True, kw_only=True)
class SteeredService:
    """What players of a service are told."""

    name: str
    playlists: tuple[Glob, ...]  # paths of its multivariant playlists
    server_uri: str
    ttl_s: float
    pathways: tuple[Pathway, ...]
    shares: tuple[tuple[str, float], ...]  # of players, by pathway; together 1
    order: tuple[str, ...]  # every pathway, the best first


@dataclass(frozen=True, slots=True, kw_only=True)
class SteeringOrder:
    """A whole order; it replaces the one before."""

    version: Version = NONE
    services: tuple[SteeredService, ...] = ()


def parse_steering(body: bytes) -> SteeringOrder:
    """Return the order in a JSON body. Raises OrderError with what is wanted."""
    given = members(read_object(body, BODY_MAX_BYTES), "order", frozenset({"version", "services"}))
    services = tuple(map(_service, items(given["services"], "services", SERVICES_MAX)))
    _distinct([each.name for each in services], "services")
    return SteeringOrder(version=version(given["version"]), services=services)


_SERVICE: Final = frozenset(
    {"service", "playlists", "server_uri", "ttl_s", "pathways", "shares", "order"}
)


def _service(given: Any) -> SteeredService:
    told = members(given, "service", _SERVICE)
    name = _name(told["service"], "service")
    pathways = tuple(
        _pathway(each, name)
        for each in items(told["pathways"], f"{name}.pathways", PATHWAYS_MAX, 1)
    )
    ids = [each.id for each in pathways]
    _distinct(ids, f"{name}.pathways")
    order = tuple(items(told["order"], f"{name}.order", PATHWAYS_MAX))
    if not all(isinstance(each, str) for each in order) or sorted(order) != sorted(ids):
        raise OrderError(f"{name}.order: want each of its pathways once")
    return SteeredService(
        name=name,
        playlists=tuple(
            _pattern(each, name)
            for each in items(told["playlists"], f"{name}.playlists", PLAYLISTS_MAX)
        ),
        server_uri=_uri(told["server_uri"], f"{name}.server_uri"),
        ttl_s=number(told["ttl_s"], f"{name}.ttl_s", 1.0, TTL_MAX_S),
        pathways=pathways,
        shares=_shares(told["shares"], f"{name}.shares", ids),
        order=order,
    )


def _pathway(given: Any, name: str) -> Pathway:
    where = f"{name}.pathways"
    told = members(given, where, frozenset({"id", "host"}), frozenset({"params"}))
    params = told.get("params", {})
    if not isinstance(params, dict) or len(params) > PARAMS_MAX:
        raise OrderError(f"{where}.params: want an object of at most {PARAMS_MAX}")
    read = [
        (text(key, f"{where}.params", 64), text(value, f"{where}.params", 512))
        for key, value in params.items()
    ]
    identity = _name(told["id"], f"{where}.id")
    if identity == HERE:
        raise OrderError(f"{where}.id: {HERE!r} is the playlist's own pathway")
    return Pathway(id=identity, host=_host(told["host"], f"{where}.host"), params=tuple(read))


def _shares(given: Any, where: str, ids: list[str]) -> tuple[tuple[str, float], ...]:
    shares: list[tuple[str, float]] = []
    for each in items(given, where, PATHWAYS_MAX, 1):
        pair = items(each, where, 2, 2)
        if pair[0] not in ids:
            raise OrderError(f"{where}: {pair[0]!r} is none of its pathways")
        shares.append((pair[0], number(pair[1], where, 0.0, 1.0)))
    _distinct([name for name, _ in shares], where)
    if abs(sum(share for _, share in shares) - 1.0) > 1e-6:
        raise OrderError(f"{where}: want a sum of 1")
    return tuple(shares)


def _distinct(names: list[str], where: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise OrderError(f"{where}: {name!r} is there twice")


def _name(given: Any, where: str) -> str:
    name = text(given, where, 64)
    if _NAME.fullmatch(name) is None:
        raise OrderError(
            f"{where}: want letters, digits, '.', '_' and '-', a letter or digit first"
        )
    return name


def _host(given: Any, where: str) -> str:
    host = text(given, where, 253)
    try:
        ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        if not all(_HOST_LABEL.fullmatch(label) for label in host.split(".")):
            raise OrderError(f"{where}: want a host name without a port") from None
    return host


def _pattern(given: Any, name: str) -> Glob:
    pattern = text(given, f"{name}.playlists", 512)
    if not pattern.startswith("/") or "?" in pattern or pattern.startswith("/.amaro/"):
        raise OrderError(f"{name}.playlists: want paths such as /v/*/main.m3u8")
    return parse_glob(pattern.encode())


def _uri(given: Any, where: str) -> str:
    uri = text(given, where, 1024)
    try:
        parts = urlsplit(uri)
        is_absolute = parts.scheme in ("http", "https") and bool(parts.hostname)
        parts.port  # noqa: B018 raises where it is none
    except ValueError:
        is_absolute = False
    if not is_absolute or _NOT_OF_URIS.search(uri):
        raise OrderError(f"{where}: want https://host/path")
    return uri
