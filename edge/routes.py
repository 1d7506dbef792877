"""Where an upstream is reached."""

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where to connect: `http://host:port`, `https://host:port` or `unix:/path`."""

    url: str
    host: str = field(init=False)
    port: int = field(init=False)
    path: str | None = field(init=False)  # of a Unix socket
    tls: bool = field(init=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme == "unix" and parts.path:
            path, host = unquote(parts.path), "localhost"
        elif parts.scheme in ("http", "https") and parts.hostname:
            path, host = None, parts.hostname
        else:
            raise ValueError(f"not an upstream: {self.url!r} (want http://host:port or unix:/path)")
        tls = parts.scheme == "https"
        set_once = object.__setattr__
        set_once(self, "host", host)
        set_once(self, "path", path)
        set_once(self, "tls", tls)
        set_once(self, "port", 0 if path else parts.port or (443 if tls else 80))


@dataclass(frozen=True, slots=True)
class Route:
    """One upstream to try; a `peer` caches like this one: another worker, or another `edge`."""

    upstream: Upstream
    peer: bool = False
    edge: bool = False
