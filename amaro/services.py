"""The services of a stack on one machine: one table, in the order in which they start."""

from __future__ import annotations

import socket
import sys
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final

from amaro.edge_disk import edge_disk
from amaro.ports import LOOPBACK
from amaro.processes import Command
from amaro.region_options import REGION_VARIABLE
from amaro.target import TOKEN_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from amaro.failover_stack import Beside
    from amaro.ports import EdgePorts, PortPlan
    from amaro.stack import DataDir
    from amaro.valkey import Valkey

AMARO: Final = (sys.executable, "-m", "amaro")
REDIS_VARIABLE: Final = "AMARO_REDIS_URL"
CATALOG_VARIABLE: Final = "AMARO_CATALOG_URL"  # for URLs with a password, which `ps` would show
JOBS_VARIABLE: Final = "AMARO_JOBS_URL"
KEYS_VARIABLE: Final = "AMARO_ACCESS_KEYS"  # a ring of access keys, where no file has it
EDGE_REDIS_SIZE: Final = "128MiB"  # of the embedded Valkey, which has progress and signals, too
WILDCARDS: Final = {"0.0.0.0", "::"}  # noqa: S104


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where a stack runs; the facts from which every service's command line follows."""

    data: DataDir
    host: str  # to listen on
    ports: PortPlan
    token: str
    valkey: Valkey
    edge_disk_bytes: int  # of each edge
    edge_rules: Path  # what they cache by
    access_keys: Path | None = None  # of signed paths
    region_token: str = ""  # by which edges know each other; without it each asks the origin itself
    services: Path | None = None  # what failover looks after, if there is any
    members: tuple[Beside, ...] = ()  # of it, one beside each edge
    elsewhere: tuple[str, ...] = ()  # base URLs, beside the edges', to which players are steered

    def url(self, port: int) -> str:
        """Return the URL by which a browser reaches a public port."""
        return f"http://{bracketed(public_host(self.host))}:{port}"

    def inner_url(self, port: int) -> str:
        """Return the URL by which this machine's own processes reach a public port."""
        return loopback_url(port) if self.host in WILDCARDS else self.url(port)

    def edge_url(self, edge: EdgePorts) -> str:
        """Return the URL by which a browser reaches an edge."""
        return f"http://{edge.host}:{edge.public}" if edge.host else self.url(edge.public)

    def edge_inner_url(self, edge: EdgePorts) -> str:
        """Return the URL by which this machine's own processes reach an edge as players do."""
        return self.edge_url(edge) if edge.host else self.inner_url(edge.public)

    def edge_listen(self, edge: EdgePorts) -> str:
        """Return HOST:PORT for an edge's public listener."""
        return f"{edge.host}:{edge.public}" if edge.host else self.listen(edge.public)

    @property
    def jobs_url(self) -> str:
        """Return where accepted uploads wait as durable jobs."""
        return f"sqlite:///{self.data.root / 'jobs.sqlite'}"

    def keys(self) -> tuple[str, ...]:
        """Return the option that names the keys of signed paths, if they are signed."""
        return () if self.access_keys is None else ("--access-keys", str(self.access_keys))

    def neighbours(self, ports: EdgePorts) -> tuple[str, ...]:
        """Return the options that make an edge one of a group, if there are several."""
        if not self.region_token or len(self.ports.edges) == 1:
            return ()
        members = ",".join(loopback_url(each.peer) for each in self.ports.edges)
        return ("--peer", f"{LOOPBACK}:{ports.peer}", "--shield", members)

    def edge_admins(self) -> tuple[str, ...]:
        """Return the options that name every edge whose caches must be purged."""
        options = (("--edge-admin", loopback_url(ports.admin)) for ports in self.ports.edges)
        return tuple(chain.from_iterable(options))

    def listen(self, port: int) -> str:
        """Return HOST:PORT for a public listener."""
        return f"{bracketed(self.host)}:{port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePlan:
    """How to start one service, how to reach it, and what must be ready before it starts."""

    name: str
    kind: str
    command: Command
    url: str  # as people and other services know it
    health_url: str
    admin_url: str | None = None
    region: str | None = None
    after: tuple[str, ...] = ()


def plan_services(site: Site) -> tuple[ServicePlan, ...]:
    """Return every service of the stack; each one's `after` comes before it."""
    edges = tuple(edge(site, ports) for ports in site.ports.edges)
    members = tuple(failover(site, each) for each in site.members)
    return (valkey(site), origin(site), segmenter(site), *edges, *members, console(site))


def valkey(site: Site) -> ServicePlan:
    """Plan the embedded Valkey."""
    return ServicePlan(
        name="valkey",
        kind="valkey",
        command=Command(argv=site.valkey.argv, environment={}, log=site.data.logs / "valkey.log"),
        url=site.valkey.shown_url,
        health_url=site.valkey.url,
    )


def origin(site: Site) -> ServicePlan:
    """Plan the source of truth: uploads, catalog, objects."""
    return ServicePlan(
        name="origin",
        kind="origin",
        command=command(
            site,
            "origin",
            *("origin", "serve", "--listen", site.listen(site.ports.origin)),
            *("--data", str(site.data.root / "origin"), "--jobs", site.jobs_url),
            *("--region", site.ports.edges[0].region, *site.edge_admins(), *site.keys()),
        ),
        url=site.url(site.ports.origin),
        health_url=site.inner_url(site.ports.origin),
        after=("valkey",),
    )


def segmenter(site: Site) -> ServicePlan:
    """Plan the worker that makes uploads watchable; it writes to the origin's catalog and store."""
    return ServicePlan(
        name="segmenter",
        kind="worker",
        command=command(
            site,
            "segmenter",
            *("segmenter", "work", "--listen", f"{LOOPBACK}:{site.ports.worker}"),
            *("--data", str(site.data.root / "origin"), "--jobs", site.jobs_url),
            *site.edge_admins(),
        ),
        url=loopback_url(site.ports.worker),
        health_url=loopback_url(site.ports.worker),
        after=("origin",),
    )


def edge(site: Site, ports: EdgePorts) -> ServicePlan:
    """Plan one edge in front of the origin."""
    name = f"edge-{ports.region}"
    others = [each.admin for each in site.ports.edges if each.region != ports.region]
    return ServicePlan(
        name=name,
        kind="edge",
        command=command(
            site,
            name,
            *("edge", "serve", "--listen", site.edge_listen(ports), "--region", ports.region),
            *("--origin", site.inner_url(site.ports.origin)),
            *("--admin", f"{LOOPBACK}:{ports.admin}"),
            *("--policies", str(site.edge_rules), *site.keys()),
            *("--disk", str(edge_disk(site.data, ports.region))),
            *("--disk-size", f"{site.edge_disk_bytes}B"),
            *("--purge-log", f"{site.inner_url(site.ports.origin)}/purges"),
            *("--redis-size", EDGE_REDIS_SIZE),
            *site.neighbours(ports),
            "--prewarm",
            *chain.from_iterable(("--warm-from", loopback_url(port)) for port in others),
            *("--realtime", f"{LOOPBACK}:0"),  # pages come by the public port
            *chain.from_iterable(("--realtime-origin", url) for url in page_origins(site)),
            secrets={REGION_VARIABLE: site.region_token},
        ),
        url=site.edge_url(ports),
        health_url=site.edge_inner_url(ports),
        admin_url=loopback_url(ports.admin),
        region=ports.region,
        after=("origin",),  # whose log of purges is replayed before anything is served
    )


def page_origins(site: Site) -> tuple[str, ...]:
    """Return the origins (RFC 6454) that the console's pages may have."""
    port = site.ports.console
    local = (loopback_url(port), f"http://localhost:{port}")
    return tuple(dict.fromkeys((site.url(port), *local)))


def failover(site: Site, member: Beside) -> ServicePlan:
    """Plan the member of failover beside an edge; it judges edges, so they are ready before it."""
    name = f"failover-{member.region}"
    return ServicePlan(
        name=name,
        kind="failover",
        command=command(
            site,
            name,
            *("failover", "run", "--name", member.name, "--services", str(site.services)),
            *("--listen", member.listen, "--data", str(site.data.root / "failover" / member.name)),
        ),
        url=member.url,
        health_url=member.url,
        admin_url=member.url,
        region=member.region,
        after=tuple(f"edge-{each.region}" for each in site.ports.edges),
    )


def console(site: Site) -> ServicePlan:
    """Plan the pages for people."""
    edges = [("--edge", f"{p.region}={site.edge_url(p)}") for p in site.ports.edges]
    edges += [("--edge-admin", f"{p.region}={loopback_url(p.admin)}") for p in site.ports.edges]
    edges += [("--member", f"{each.name}={each.url}") for each in site.members]
    edges += [("--provider", url) for url in site.elsewhere]
    return ServicePlan(
        name="console",
        kind="console",
        command=command(
            site,
            "console",
            *("console", "serve", "--listen", site.listen(site.ports.console)),
            *("--origin", site.url(site.ports.origin), "--realtime", *chain.from_iterable(edges)),
            *(() if site.access_keys is None else ("--signed",)),
        ),
        url=site.url(site.ports.console),
        health_url=site.inner_url(site.ports.console),
    )


def command(site: Site, name: str, *argv: str, secrets: Mapping[str, str] | None = None) -> Command:
    """Return `amaro ARGV…` with the secrets in its environment, where `ps` does not show them.

    Beside those that all services have it gets `secrets` of its own.
    """
    common = {TOKEN_VARIABLE: site.token, REDIS_VARIABLE: site.valkey.url}
    log = site.data.logs / f"{name}.log"
    return Command(argv=(*AMARO, *argv), environment={**common, **(secrets or {})}, log=log)


def edge_hosts(host: str, ports: PortPlan) -> tuple[str, ...]:
    """Return `host:port` of the edges as players may call them, the first edge's first."""
    if all(each.host for each in ports.edges):
        return tuple(f"{each.host}:{each.public}" for each in ports.edges)
    names = [bracketed(public_host(host))]
    if host in WILDCARDS or host == LOOPBACK:
        names += [LOOPBACK, "localhost"]
    return tuple(f"{name}:{each.public}" for name in dict.fromkeys(names) for each in ports.edges)


def loopback_url(port: int) -> str:
    """Return the URL of a port on this machine's loopback."""
    return f"http://{LOOPBACK}:{port}"


def public_host(host: str) -> str:
    """Return an address that other devices can use for the host we listen on."""
    if host not in WILDCARDS:
        return host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    target = ("2001:db8::1", 9) if ":" in host else ("192.0.2.1", 9)
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(target)  # sends nothing; it only asks the routing table
        except OSError:
            return "localhost"
        return str(probe.getsockname()[0])


def bracketed(host: str) -> str:
    """Return the host as a URL wants it."""
    return f"[{host}]" if ":" in host else host
