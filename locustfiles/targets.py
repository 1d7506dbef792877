"""Where the load goes: base URLs from the environment, and the rule that keeps it at home."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

EDGES = "AMARO_LOAD_EDGES"  # NAME=URL, separated by spaces
ORIGIN = "AMARO_LOAD_ORIGIN"
ALLOW_REMOTE = "AMARO_LOAD_ALLOW_REMOTE"
REGION = "load"  # uploads of a load test have a region of their own, apart from people's stories


class TargetError(ValueError):
    """There is no target, or one that must not be loaded; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """Edges by region name, and the origin that takes uploads (None: no uploads)."""

    edges: Mapping[str, str]
    origin: str | None

    def environment(self, *, allow_remote: bool) -> dict[str, str]:
        """The variables by which a locust process learns of these targets."""
        edges = " ".join(f"{name}={url}" for name, url in self.edges.items())
        return {EDGES: edges, ORIGIN: self.origin or "", ALLOW_REMOTE: "1" if allow_remote else ""}


def from_environment(environ: Mapping[str, str] = os.environ) -> Targets:
    """The targets of this process; raises TargetError."""
    pairs = [item.partition("=") for item in environ.get(EDGES, "").split()]
    targets = Targets(
        edges={name: url.rstrip("/") for name, _, url in pairs},
        origin=environ.get(ORIGIN, "").rstrip("/") or None,
    )
    check(targets, allow_remote=bool(environ.get(ALLOW_REMOTE)))
    return targets


def check(targets: Targets, *, allow_remote: bool) -> None:
    """Raise TargetError unless there is an edge and every target is this machine's loopback."""
    if not targets.edges:
        raise TargetError("no edge to load; run make load, or set AMARO_LOAD_EDGES=NAME=URL")
    for url in filter(None, [*targets.edges.values(), targets.origin]):
        if urlsplit(url).scheme not in {"http", "https"}:
            raise TargetError(f"{url} is no http URL")
        if not allow_remote and not is_loopback(url):
            raise TargetError(
                f"{url} is not on this machine's loopback. Load only what is yours; if it is, "
                "add --allow-remote"
            )


def is_loopback(url: str) -> bool:
    """Whether every address of the URL's host is a loopback address."""
    host = urlsplit(url).hostname or ""
    try:
        found = socket.getaddrinfo(host, None, proto=socket.IPPROTO_TCP)
    except OSError:
        return False
    return all(ipaddress.ip_address(str(address[0])).is_loopback for *_, address in found)
