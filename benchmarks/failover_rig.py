"""Three members, their edges, DNS providers and both peers, around providers that can fail."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import secrets
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks import failover_peers
from benchmarks.failing_provider import BODY, IS_TLS, Fault, Names, Provider, certificates
from benchmarks.member_edges import member_edges
from benchmarks.processes import launched
from benchmarks.sightings import NameServerWatch, Sightings, watch_edge, watch_names
from failover.endpoint import Endpoint
from tests.support import knots, powerdns
from tests.support.ports import own_ports

MEMBERS: Final = {f"m{number}": f"127.0.0.{number + 1}" for number in (1, 2, 3)}
OWN: Final = [f"own {name}" for name in MEMBERS]
EDGES: Final = list(MEMBERS)
SECOND, THIRD = "knot", "powerdns"  # DNS providers beside our own servers
PEERS: Final = {  # which faults each of them can see
    "gdnsd": frozenset({Fault.REFUSED, Fault.BLACK_HOLE, Fault.STATUS, Fault.SLOW, Fault.HALF}),
    "ifurlup": frozenset(Fault) - {Fault.EXPIRED, Fault.NAME},
}
SHA256: Final = hashlib.sha256(BODY).hexdigest()
SERVICE: Final = """\
service: {name}
detection: {{hold_off: 5s, hold_off_max: 5s, dwell: 1s, step: 200ms, step_share: 1}}
targets:
{targets}
steering: {{server_uri: "https://steer.test/.amaro/steer", playlists: [/{name}/*/main.m3u8]}}
routes: {name}
dns: {{name: {name}.{zone}, zone: {zone}, providers: [own-dns, knot, powerdns]}}
"""
TARGET: Final = """\
  - name: {target}
    provider: cdn-{target}
    pathway: {target}.{name}.test
    route: "{route}"
    records: [{{type: A, values: [{address}]}}]
    probes:
{probes}
"""
PROBES: Final = {  # by what is probed
    "http": '      - {{name: known, kind: http, url: "http://{at}/", sha256: {sha256}}}',
    "tls": '      - {{name: certificate, kind: tls, url: "tls://{at}", host: edge.test,'
    ' ca_file: "{ca}"}}',
    "name": '      - {{name: name, kind: dns, host: {host}, resolvers: ["{resolver}"],'
    " answers: [{address}]}}",
}
MEMBERS_FILE: Final = """\
providers:
  - {{name: own, ours: true}}
  - {{name: cdn-a}}
  - {{name: cdn-b}}
  - {{name: registrar}}
  - {{name: dns-host}}
members:
{members}
dns_providers:
  - {{name: own-dns, kind: own, provider: own, name_servers: [{own}]}}
  - name: knot
    kind: rfc2136
    provider: registrar
    server: "{knot}"
    credential: knot
    name_servers: ["{knot}"]
  - name: powerdns
    kind: powerdns
    provider: dns-host
    api: "{api}"
    credential: powerdns
    name_servers: ["{powerdns}"]
credentials:
  - {{name: knot, file: "{directory}/knot.key", provider: own}}
  - {{name: powerdns, file: "{directory}/powerdns.key", provider: own}}
lease: "sqlite:///{directory}/lease.sqlite"
"""


@dataclass(slots=True, kw_only=True)
class Lane:
    """One service that one fault is tried on: its first target and its second."""

    fault: Fault
    first: Provider
    second: Provider

    @property
    def name(self) -> str:
        """Of the service."""
        return self.fault.value

    @property
    def observers(self) -> list[str]:
        """Everybody who is to see this fault."""
        seen = [f"{what} {edge}" for what in ("steering", "routes") for edge in EDGES]
        return [*seen, *OWN, SECOND, THIRD, *self.peers]

    @property
    def peers(self) -> list[str]:
        """The peers that can see it."""
        return [name for name, faults in PEERS.items() if self.fault in faults]


@dataclass(slots=True, kw_only=True)
class Rig:
    """Everything as it runs."""

    lanes: list[Lane]
    sightings: Sightings


@asynccontextmanager
async def rig(faults: Sequence[Fault], directory: Path, draw: random.Random) -> AsyncIterator[Rig]:
    """Run it all until the end of the block."""
    ports = iter(own_ports())
    provider_port, resolver_port, peer_port = next(ports), next(ports), next(ports)
    token = os.environ["AMARO_ADMIN_TOKEN"] = secrets.token_hex(16)
    names, sightings = Names(), Sightings()
    made = certificates(directory)
    lanes = [
        _lane(fault, 1 + number, provider_port, names, draw, made)
        for number, fault in enumerate(faults)
    ]
    addresses = {lane.name: (lane.first.host, lane.second.host) for lane in lanes}
    async with AsyncExitStack() as stack:
        for lane in lanes:
            await stack.enter_async_context(lane.first.serving())
            await stack.enter_async_context(lane.second.serving())
        await stack.enter_async_context(names.serving("127.0.0.1", resolver_port))
        places = {
            name: (Endpoint(host, next(ports)), Endpoint(host, next(ports)))
            for name, host in MEMBERS.items()
        }
        groups = {lane.name: (route_of(lane.first), route_of(lane.second)) for lane in lanes}
        edges = stack.enter_context(member_edges(places, groups, directory))
        knot = stack.enter_context(knots.knot())
        pdns = stack.enter_context(failover_peers.ifurlup(addresses, provider_port=provider_port))
        gdnsd = stack.enter_context(
            failover_peers.gdnsd(addresses, port=peer_port, provider_port=provider_port)
        )
        own = {f"own {name}": Endpoint(host, next(ports)) for name, host in MEMBERS.items()}
        urls = {name: f"{host}:{next(ports)}" for name, host in MEMBERS.items()}
        _write_files(directory, lanes, resolver_port, made["trusted"])
        (directory / "knot.key").write_text(knots.KEY)
        (directory / "powerdns.key").write_text(powerdns.API_KEY)
        (directory / "zone").write_text(knots.ZONE_FILE)
        members = "\n".join(
            f"  - {{name: {name}, region: north, provider: own, url: 'http://{urls[name]}',"
            f" edge_admin: '{edges[name]}'}}"
            for name in MEMBERS
        )
        (directory / "services" / "members.yaml").write_text(
            MEMBERS_FILE.format(
                members=members,
                own=", ".join(f'"{each}"' for each in own.values()),
                knot=knot.server,
                api=pdns.api,
                powerdns=pdns.server,
                directory=directory,
            )
        )
        for name, url in urls.items():
            command = [sys.executable, "-m", "amaro", "failover", "run", "--name", name]
            command += ["--services", str(directory / "services"), "--listen", url]
            command += ["--data", str(directory / name), "--dns", str(own[f"own {name}"])]
            command += ["--zone", f"{knots.ZONE}={directory / 'zone'}"]
            log = directory / f"{name}.log"
            stack.enter_context(launched(name, command, port=0, cores="0-1", log=log))
        ours = {lane.name: f"{lane.name}.{knots.ZONE}" for lane in lanes}
        theirs = failover_peers.names_of(addresses)
        targets = {each.first.host: "a" for each in lanes}
        targets |= {each.second.host: "b" for each in lanes}
        asked = {
            **dict.fromkeys(own, ours),
            SECOND: ours,
            THIRD: ours,
            "gdnsd": theirs,
            "ifurlup": theirs,
        }
        servers = {**own, SECOND: knot.server, THIRD: pdns.server}
        servers |= {"gdnsd": gdnsd, "ifurlup": pdns.server}
        watching = [
            watch_edge(name, admin, token, targets, sightings) for name, admin in edges.items()
        ]
        watching += [
            watch_names(each.host, each.port, _watch(where, asked[where], targets, sightings))
            for where, each in servers.items()
        ]
        tasks = [asyncio.create_task(each) for each in watching]
        try:
            yield Rig(lanes=lanes, sightings=sightings)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _watch(
    where: str, names: dict[str, str], targets: dict[str, str], sightings: Sightings
) -> Callable[[], NameServerWatch]:
    return lambda: NameServerWatch(where, names, targets, sightings)


def _lane(
    fault: Fault,
    number: int,
    port: int,
    names: Names,
    draw: random.Random,
    made: Mapping[str, Path],
) -> Lane:
    def provider(target: str, last: int) -> Provider:
        return Provider(
            host=f"127.1.{number}.{last}",
            port=port,
            name=f"{target}.{fault.value}.test.",
            names=names,
            draw=random.Random(draw.random()),
            good=made["good"] if fault in IS_TLS else None,
            expired=made["expired"],
        )

    return Lane(fault=fault, first=provider("a", 1), second=provider("b", 2))


def route_of(provider: Provider) -> str:
    """Return the base URL by which edges fill through a provider."""
    return f"http{'s' if provider.good else ''}://{provider.host}:{provider.port}"


def _write_files(directory: Path, lanes: Sequence[Lane], resolver_port: int, trusted: Path) -> None:
    services = directory / "services"
    services.mkdir()
    kinds = {Fault.EXPIRED: "tls", Fault.NAME: "name"}
    for lane in lanes:
        targets = "".join(
            TARGET.format(
                target=name,
                name=lane.name,
                address=each.host,
                route=route_of(each),
                probes=PROBES[kinds.get(lane.fault, "http")].format(
                    at=f"{each.host}:{each.port}",
                    sha256=SHA256,
                    ca=trusted,
                    host=each.name.rstrip("."),
                    resolver=f"127.0.0.1:{resolver_port}",
                    address=each.host,
                ),
            )
            for name, each in (("a", lane.first), ("b", lane.second))
        )
        text = SERVICE.format(name=lane.name, targets=targets, zone=knots.ZONE)
        (services / f"{lane.name}.yaml").write_text(text)
