"""When who first saw a service leave a target: edges and name servers, asked in turn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, cast
from urllib.parse import urlsplit

import dns.exception
import dns.message
import dns.rdatatype
import httpx

EVERY_S: Final = 0.05
LOOK_S: Final = 0.01

Seen = tuple[str, str]
"""Where it was seen, and of which service."""


@dataclass(slots=True)
class Sightings:
    """The target that each observer has last seen in use, and each change of that."""

    now: dict[Seen, str] = field(default_factory=dict)
    changes: dict[Seen, list[tuple[float, str]]] = field(default_factory=dict)

    def note(self, where: str, service: str, target: str) -> None:
        """Note what was seen just now."""
        if self.now.get((where, service)) != target:
            self.now[where, service] = target
            self.changes.setdefault((where, service), []).append((time.monotonic(), target))

    def left(self, where: str, service: str, target: str, since_mono: float) -> float | None:
        """Return after how many seconds a service was first seen elsewhere; None: not yet."""
        for seen_mono, to in self.changes.get((where, service), ()):
            if seen_mono >= since_mono and to != target:
                return seen_mono - since_mono
        return None


async def watch_edge(
    where: str, admin: str, token: str, targets: Mapping[str, str], sightings: Sightings
) -> None:
    """Ask an edge's admin listener what it steers and how it fills, again and again.

    What its workers do not follow yet is not seen. `targets` are those of routes, by host.
    """
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(headers=headers, trust_env=False, timeout=5.0) as client:
        while True:
            began = time.monotonic()
            with suppress(httpx.HTTPError):
                steering = (await client.get(f"{admin}/steering")).json()
                for each in steering.get("services", ()) if steering["followed"] else ():
                    sightings.note(f"steering {where}", each["service"], _most(each["shares"]))
                routes = (await client.get(f"{admin}/routes")).json()
                for group, urls in routes["groups"].items() if routes["followed"] else ():
                    if target := targets.get(urlsplit(urls[0]).hostname or ""):
                        sightings.note(f"routes {where}", group, target)
            await asyncio.sleep(max(0.0, began + EVERY_S - time.monotonic()))


def _most(shares: Sequence[Any]) -> str:
    name: str = max(shares, key=lambda share: share[1])[0]
    return name


class NameServerWatch(asyncio.DatagramProtocol):
    """Asks one server for all names at once, again and again, over one socket."""

    def __init__(
        self,
        where: str,
        names: Mapping[str, str],
        targets: Mapping[str, str],
        sightings: Sightings,
    ) -> None:
        """`names` of services; `targets` by address."""
        self._where, self._sightings = where, sightings
        self._services = list(names)
        self._targets = targets
        self._queries = []
        for number, name in enumerate(names.values()):
            query = dns.message.make_query(name, dns.rdatatype.A, id=number)
            query.flags = 0
            self._queries.append(query.to_wire())
        self._known: dict[bytes, str] = {}  # by answer: hardly any is new

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to ask."""
        self._transport = cast(asyncio.DatagramTransport, transport)  # no base class says so

    async def run(self) -> None:
        """Ask until cancelled."""
        try:
            while True:
                began = time.monotonic()
                for query in self._queries:
                    self._transport.sendto(query)
                await asyncio.sleep(max(0.0, began + EVERY_S - time.monotonic()))
        finally:
            self._transport.close()

    def datagram_received(self, data: bytes, _addr: object) -> None:
        """Note what an answer says."""
        target = self._known.get(data)
        if target is None:
            target = self._known[data] = self._target(data)
        number = int.from_bytes(data[:2], "big")
        if target and number < len(self._services):
            self._sightings.note(self._where, self._services[number], target)

    def error_received(self, exc: Exception) -> None:
        """Go on: a server that begins anew refuses for a moment."""

    def _target(self, data: bytes) -> str:
        try:
            answer = dns.message.from_wire(data)
        except dns.exception.DNSException:
            return ""
        for rrset in answer.answer:
            for each in rrset:
                if each.to_text() in self._targets:
                    return self._targets[each.to_text()]
        return ""


async def watch_names(host: str, port: int, make: Callable[[], NameServerWatch]) -> None:
    """Ask a name server until cancelled."""
    loop = asyncio.get_running_loop()
    _, protocol = await loop.create_datagram_endpoint(make, remote_addr=(host, port))
    await protocol.run()
