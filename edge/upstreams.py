"""Whom a fill asks, in order."""

from dataclasses import dataclass
from typing import Protocol

from edge.fetch import Upstream


@dataclass(frozen=True, slots=True)
class Route:
    """One upstream to try; `peer` is another worker or edge, which caches like this one."""

    upstream: Upstream
    peer: bool = False


class Upstreams(Protocol):
    """Chooses upstreams. It knows keys and health, never responses."""

    def of(self, key: bytes, *, direct: bool) -> tuple[Route, ...]:
        """The routes for a fill of `key`, best first; `direct` leaves out the peers."""


class OriginOnly:
    """A node of one worker: everything comes from the origin."""

    def __init__(self, origin: str) -> None:
        self._routes = (Route(Upstream(origin)),)

    def of(self, key: bytes, *, direct: bool) -> tuple[Route, ...]:
        """The origin, whatever is asked."""
        del key, direct
        return self._routes
