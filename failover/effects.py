"""What can be done about a decision: each effect puts one thing into one state, however often.

An effect has a key, what it sets, and says the whole of what that is to be. What is observed is
written in the same words: the effect that would bring it about.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeAlias

from failover.model import Record

Key: TypeAlias = tuple[str, ...]
Shares: TypeAlias = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pathway:
    """A target as players reach it (draft-pantos-hls-rfc8216bis §7, PATHWAY-CLONES)."""

    id: str
    host: str
    params: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SteerEdge:
    """An edge tells the players of a service where to fetch from."""

    edge: str  # the vantage it stands by
    service: str
    playlists: tuple[str, ...]
    server_uri: str
    ttl_s: float
    pathways: tuple[Pathway, ...]
    shares: Shares
    order: tuple[str, ...]

    @property
    def key(self) -> Key:
        """What it sets."""
        return "steer-edge", self.edge, self.service

    def __str__(self) -> str:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in self.shares)
        rest = ", ".join(self.order)
        return (
            f"edge {self.edge} steers {self.service} to {shares} (order {rest}; {self.ttl_s:g} s)"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteEdge:
    """An edge fills one of its groups of origins by these URLs, the first that works."""

    edge: str
    group: str
    urls: tuple[str, ...]

    @property
    def key(self) -> Key:
        """What it sets."""
        return "route-edge", self.edge, self.group

    def __str__(self) -> str:
        group = f"group {self.group}" if self.group else "its default group"
        return f"edge {self.edge} fills {group} by {', then '.join(self.urls)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRecords:
    """A DNS provider answers a name with these records and no others (RFC 2136 §2.5)."""

    provider: str
    zone: str
    name: str
    records: tuple[Record, ...]
    ttl_s: int

    @property
    def key(self) -> Key:
        """What it sets."""
        return "set-records", self.provider, self.name

    def __str__(self) -> str:
        values = ", ".join(f"{each.type} {' '.join(each.values)}" for each in self.records)
        return f"{self.provider} answers {self.name} with {values} ({self.ttl_s} s)"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTtl:
    """A DNS provider lets resolvers keep a name's records, which stay, for so long."""

    provider: str
    zone: str
    name: str
    ttl_s: int

    @property
    def key(self) -> Key:
        """What it sets: a part of what SetRecords sets."""
        return "set-records", self.provider, self.name

    def __str__(self) -> str:
        return f"{self.provider} lets resolvers keep {self.name} for {self.ttl_s} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """People hear of a decision by one channel, once."""

    channel: str
    version: tuple[int, int]  # of the decision
    text: str

    @property
    def key(self) -> Key:
        """What it sets: that they were told of this decision."""
        return "notify", self.channel, *map(str, self.version)

    def __str__(self) -> str:
        return f"{self.channel} is told: {self.text}"


Effect: TypeAlias = SteerEdge | RouteEdge | SetRecords | SetTtl | Notify

NAMES: Final[Mapping[type[Effect], str]] = {
    SteerEdge: "steer-edge",
    RouteEdge: "route-edge",
    SetRecords: "set-records",
    SetTtl: "set-ttl",
    Notify: "notify",
}


def as_json(effect: Effect) -> dict[str, Any]:
    """Return an effect as plain JSON values."""
    return {"effect": NAMES[type(effect)], "text": str(effect), **asdict(effect)}


def steering_body(version: tuple[int, int], effects: Iterable[SteerEdge]) -> dict[str, Any]:
    """Return what is put to an edge's `/steering`: all that it is to steer, as one document."""
    return {
        "version": list(version),
        "services": [
            {
                "service": each.service,
                "playlists": list(each.playlists),
                "server_uri": each.server_uri,
                "ttl_s": each.ttl_s,
                "pathways": [
                    {"id": path.id, "host": path.host, "params": dict(path.params)}
                    for path in each.pathways
                ],
                "shares": [list(share) for share in each.shares],
                "order": list(each.order),
            }
            for each in effects
        ],
    }


def routes_body(version: tuple[int, int], effects: Iterable[RouteEdge]) -> dict[str, Any]:
    """Return what is put to an edge's `/routes`: all groups that are decided for."""
    return {
        "version": list(version),
        "groups": {each.group: list(each.urls) for each in effects},
    }
