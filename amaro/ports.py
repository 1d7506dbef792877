"""Which port is whose, and whether it is free."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

REGIONS: Final = ("north", "south")
LOOPBACK: Final = "127.0.0.1"  # admin listeners are for this machine only
PORT_MAX: Final = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgePorts:
    """The listeners of one edge."""

    region: str
    public: int
    admin: int
    peer: int  # for other edges
    member: int | None = None  # of failover, beside it
    host: str = ""  # of its own, where players are steered; else the one that all listen on


@dataclass(frozen=True, slots=True, kw_only=True)
class PortPlan:
    """Every TCP port of a stack, counted up from one base."""

    edges: tuple[EdgePorts, ...]
    origin: int
    console: int
    worker: int

    def public(self, host: str = "") -> dict[str, tuple[str, int]]:
        """Return {who listens for everybody: (on which host, port)}; `host` is the chosen one."""
        edges = {f"edge-{edge.region}": (edge.host or host, edge.public) for edge in self.edges}
        return edges | {"origin": (host, self.origin), "console": (host, self.console)}

    def private(self) -> dict[str, int]:
        """Return {who listens for this machine only: port}."""
        admins = {f"edge-{edge.region} admin": edge.admin for edge in self.edges}
        peers = {f"edge-{edge.region} peer": edge.peer for edge in self.edges}
        members = {
            f"failover-{edge.region}": edge.member for edge in self.edges if edge.member is not None
        }
        return admins | peers | {"segmenter": self.worker} | members


def plan_ports(
    base: int, edges: int, *, failover: bool = False, hosts: Sequence[str] = ()
) -> PortPlan:
    """Return the ports of a stack: public edges first, their admin listeners, then the others.

    Last come those at which edges ask each other, and then the members of failover, if any. Edges
    with `hosts` of their own all have the first port: players who are steered keep the port.
    """
    return PortPlan(
        edges=tuple(
            EdgePorts(
                region=region_of(number),
                public=base if hosts else base + number,
                admin=base + edges + number,
                peer=base + 2 * edges + 3 + number,
                member=base + 3 * edges + 3 + number if failover else None,
                host=hosts[number] if hosts else "",
            )
            for number in range(edges)
        ),
        origin=base + 2 * edges,
        console=base + 2 * edges + 1,
        worker=base + 2 * edges + 2,
    )


def region_of(number: int) -> str:
    """Return the region code of the edge with this number, counted from 0."""
    return REGIONS[number] if number < len(REGIONS) else f"region-{number + 1}"


def is_free(host: str, port: int) -> bool:
    """Say whether we could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def is_ours(host: str) -> bool:
    """Say whether a host is an address of this machine, so that one could listen on it."""
    return is_free(host, 0)


def taken(host: str, plan: PortPlan) -> dict[str, int]:
    """Return those of the plan's ports that someone else holds, as {who needs it: port}."""
    public = plan.public(host).items()
    held = {who: port for who, (where, port) in public if not is_free(where, port)}
    return held | {w: port for w, port in plan.private().items() if not is_free(LOOPBACK, port)}


def hosts_apart(host: str, edges: int) -> tuple[str, ...]:
    """Return a loopback address for each edge, from 127.0.0.2 on; none where it cannot be.

    A pathway of HLS Content Steering is a host. Linux has all of 127.0.0.0/8; other systems have
    one address of it, and who listens for other machines has one, too.
    """
    if host != LOOPBACK or edges == 1:
        return ()
    hosts = tuple(f"127.0.0.{2 + number}" for number in range(edges))
    return hosts if all(map(is_ours, hosts)) else ()


def free_base(
    host: str, edges: int, *, above: int, failover: bool = False, hosts: Sequence[str] = ()
) -> int | None:
    """Return the next base (a multiple of 20) whose ports are all free, or None."""
    width = (4 if failover else 3) * edges + 3
    for base in range(above - above % 20 + 20, min(above + 4_000, PORT_MAX - width), 20):
        if not taken(host, plan_ports(base, edges, failover=failover, hosts=hosts)):
            return base
    return None
