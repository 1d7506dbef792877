"""Edges of one region inside the test's own loop, in front of one origin."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

from edge.purges import PurgeKind
from edge.region_places import RegionPoint
from edge.region_ranking import Member, ranked
from edge.settings import Address
from tests.support.edges import PATIENCE_S, Edge, Origin, Script, running_edge, running_origin
from tests.support.ports import own_ports

REGION_TOKEN: Final = "a-region-for-tests"
LOG: Final = bytes(range(8))
HOST: Final = "edge.test"


class Region:
    """Edges by the URL of their peer listener, and the log of purges that they have in common."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.edges: dict[str, Edge] = {}
        self.numbers = itertools.count(1)

    def ranked(self, target: str) -> list[Edge]:
        """The edges in the order in which they own a target."""
        key = f"http://{HOST}{target}".encode()
        return [self.edges[each.url] for each in ranked(key, map(Member, self.edges))]

    def url_of(self, edge: Edge) -> str:
        return next(url for url, each in self.edges.items() if each is edge)

    def purge(
        self,
        kind: PurgeKind,
        value: bytes = b"",
        *,
        soft: bool = False,
        at: Iterable[Edge] | None = None,
    ) -> None:
        """Have edges learn of the next purge of the log; all of them, if it is not said which."""
        number = next(self.numbers)
        for edge in self.edges.values() if at is None else at:
            edge.purge(kind, value, soft=soft)
            reached(edge, number)


def reached(edge: Edge, number: int) -> None:
    """Have an edge know that all purges up to a number are in its page."""
    sequence = edge.page.epoch()
    edge.worker.opened.region.note(sequence, RegionPoint(LOG, number, sequence))


def cut_off(edge: Edge) -> None:
    """End an edge for others, as its death would."""
    for server in edge.peer_servers:
        for listener in server.servers:
            listener.close()
        for connection in list(server.server_state.connections):
            connection.transport.abort()


@asynccontextmanager
async def running_region(
    script: Script,
    count: int,
    *,
    outside: int = 0,
    each: dict[str, Any] | None = None,
    **limits: Any,
) -> AsyncIterator[Region]:
    """So many edges of one list; the last `outside` are asked by nobody."""
    limits = {"edge_silent_s": PATIENCE_S, "edge_idle_s": PATIENCE_S} | limits
    ports = own_ports()[:count]
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    shield = tuple(urls[: count - outside])
    async with AsyncExitStack() as stack:
        region = Region(await stack.enter_async_context(running_origin(script)))
        for number, url in enumerate(urls):
            told = {"region_token": REGION_TOKEN, "shield": shield}
            if number < count - outside:
                told |= {"peer": Address("127.0.0.1", ports[number]), "advertise": url}
            edge = await stack.enter_async_context(
                running_edge(region.origin.url, neighbours=told, **limits, **(each or {}))
            )
            region.edges[url] = edge
            reached(edge, 0)
        yield region
