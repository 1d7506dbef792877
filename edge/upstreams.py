"""Whom a fill asks, in order."""

from typing import Protocol

from edge.origins import Origins
from edge.routes import Route


class Upstreams(Protocol):
    """Chooses upstreams. It knows keys and health, never responses."""

    origins: Origins

    def of(self, key: bytes, *, direct: bool, group: str) -> tuple[Route, ...]:
        """The routes for a fill of `key`, best first; `direct` leaves out the peers."""


class OriginOnly:
    """A node of one worker: everything comes from the origins."""

    def __init__(self, origins: Origins) -> None:
        self.origins = origins

    def of(self, key: bytes, *, direct: bool, group: str) -> tuple[Route, ...]:
        """The group's servers, whatever is asked."""
        del key, direct
        return self.origins.of(group)
