"""The services of a stack on one machine: one table, in the order in which they start."""

from __future__ import annotations

import socket
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from amaro.processes import Command
from amaro.target import TOKEN_VARIABLE

if TYPE_CHECKING:
    from amaro.ports import PortPlan
    from amaro.stack import DataDir
    from amaro.valkey import Valkey

AMARO: Final = (sys.executable, "-m", "amaro")
REDIS_VARIABLE: Final = "AMARO_REDIS_URL"
WILDCARDS: Final = {"0.0.0.0", "::"}  # noqa: S104


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where a stack runs; the facts from which every service's command line follows."""

    data: DataDir
    host: str  # to listen on
    ports: PortPlan
    token: str
    valkey: Valkey

    def url(self, port: int) -> str:
        """Return the URL by which a browser reaches a public port."""
        return f"http://{bracketed(public_host(self.host))}:{port}"

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
    return (valkey(site),)


def valkey(site: Site) -> ServicePlan:
    """Plan the embedded Valkey."""
    return ServicePlan(
        name="valkey",
        kind="valkey",
        command=Command(argv=site.valkey.argv, environment={}, log=site.data.logs / "valkey.log"),
        url=site.valkey.shown_url,
        health_url=site.valkey.url,
    )


def command(site: Site, name: str, *argv: str) -> Command:
    """Return `amaro ARGV…` with the secrets in its environment, where `ps` does not show them."""
    secrets = {TOKEN_VARIABLE: site.token, REDIS_VARIABLE: site.valkey.url}
    return Command(argv=(*AMARO, *argv), environment=secrets, log=site.data.logs / f"{name}.log")


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
