"""Where a region's Valkey is: one server, the watched servers of a Sentinel, or a cluster."""

from dataclasses import dataclass, field
from enum import Enum, unique
from typing import Final, NamedTuple
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

PORT: Final = 6379
SENTINEL_PORT: Final = 26379
FORMS: Final = (
    "redis://[USER:PASSWORD@]HOST:PORT[/DB], rediss://…[?ca=FILE] with TLS, "
    "unix:///PATH[?password=…], "
    "redis+sentinel://HOST:PORT[,HOST:PORT…]/SERVICE or redis+cluster://HOST:PORT[,HOST:PORT…]"
)


@unique
class Kind(Enum):
    """Who knows which server has a key."""

    SERVER = "server"  # there is one only
    SENTINEL = "sentinel"  # Sentinels know it
    CLUSTER = "cluster"  # each of its servers does


class Server(NamedTuple):
    """A server, or a Sentinel: a host and a port, or the path of a Unix socket and 0."""

    host: str
    port: int

    def __str__(self) -> str:
        if not self.port:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """All that a URL says. Whoever shows it says `str(address)`: that has no password in it."""

    kind: Kind
    servers: tuple[Server, ...]  # of a Sentinel, the Sentinels
    service: str = ""  # that Sentinels watch
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    database: int = 0
    tls: bool = False
    ca_file: str | None = None  # of those who may sign the servers' certificates

    def __str__(self) -> str:
        return ",".join(map(str, self.servers))


_SCHEMES: Final = {  # scheme: kind, TLS, default port
    "redis": (Kind.SERVER, False, PORT),
    "rediss": (Kind.SERVER, True, PORT),
    "unix": (Kind.SERVER, False, 0),
    "redis+sentinel": (Kind.SENTINEL, False, SENTINEL_PORT),
    "rediss+sentinel": (Kind.SENTINEL, True, SENTINEL_PORT),
    "redis+cluster": (Kind.CLUSTER, False, PORT),
    "rediss+cluster": (Kind.CLUSTER, True, PORT),
}


def parse_address(text: str) -> Address:
    """What a URL says. Raises ValueError, which shows no password."""
    try:
        parts = urlsplit(text)
    except ValueError:  # which may quote all of it
        raise ValueError(f"this is no URL; write {FORMS}") from None
    if parts.scheme not in _SCHEMES:
        raise ValueError(f"{parts.scheme or 'this'} is no scheme of Valkey's; write {FORMS}")
    if "@" in parts.path + parts.query + parts.fragment:  # what is before it may be a password's
        raise ValueError("write / ? # and @ of a password, or a path, as %2F %3F %23 and %40")
    kind, tls, port = _SCHEMES[parts.scheme]
    account, _, hosts = parts.netloc.rpartition("@")
    username, _, password = account.partition(":")
    said = {name: values[0] for name, values in parse_qs(parts.query).items()}
    if unknown := said.keys() - {"password", "username", "db", "ca"}:
        raise ValueError(f"nothing is known of {min(unknown)!r} in the URL")
    if "ca" in said and not tls:
        raise ValueError("ca=FILE is for TLS: rediss://…")
    path = unquote(parts.path)
    if parts.scheme == "unix":
        servers = _socket(path, hosts)
    else:
        servers = tuple(_server(each, port) for each in hosts.split(","))
    if kind is Kind.SERVER and len(servers) > 1:
        raise ValueError("several servers are a cluster, redis+cluster://, or have a Sentinel")
    service = path.strip("/") if kind is Kind.SENTINEL else ""
    if kind is Kind.SENTINEL and not service:
        raise ValueError("after the Sentinels comes the name of a service: …/SERVICE")
    return Address(
        kind=kind,
        servers=servers,
        service=service,
        username=unquote(username) or said.get("username"),
        password=unquote(password) or said.get("password"),
        database=_database(parts, said, kind),
        tls=tls,
        ca_file=said.get("ca"),
    )


def _socket(path: str, hosts: str) -> tuple[Server, ...]:
    if hosts or not path.startswith("/"):
        raise ValueError("a Unix socket has an absolute path: unix:///run/valkey.sock")
    return (Server(path, 0),)


def _server(text: str, default_port: int) -> Server:
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.path:
        raise ValueError(f"{text!r} is no HOST:PORT; write {FORMS}")
    return Server(host, default_port if port is None else port)


def _database(parts: SplitResult, said: dict[str, str], kind: Kind) -> int:
    text = said.get("db", "")
    if kind is Kind.SERVER and parts.scheme != "unix":
        text = text or parts.path.strip("/")
    if not text:
        return 0
    if not text.isdigit() or (kind is Kind.CLUSTER and int(text)):
        raise ValueError(f"{text!r} is no database here; a cluster has 0 only")
    return int(text)
