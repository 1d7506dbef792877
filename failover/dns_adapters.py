"""The adapter of a DNS provider, from what the model says of it and its secret."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import httpx

from failover import dns_cloudflare, dns_route53
from failover.dns_asking import Asker
from failover.dns_cloudflare import CloudflareAdapter
from failover.dns_contract import DnsAdapter
from failover.dns_http import HttpApi
from failover.dns_powerdns import PowerDnsAdapter
from failover.dns_rfc2136 import Rfc2136Adapter, tsig_key
from failover.dns_route53 import Route53Adapter
from failover.endpoint import endpoint
from failover.model import DnsKind, DnsProvider


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsClients:
    """What adapters share: connections, and time limits of single questions."""

    http: httpx.AsyncClient
    asker: Asker = field(default_factory=Asker)
    timeout_s: float = 3.0  # of one exchange with an HTTP API


def adapter(provider: DnsProvider, secret: str, clients: DnsClients) -> DnsAdapter | None:
    """The provider's adapter; None for our own servers, which follow the decision by themselves.

    Raises ValueError if a part of the model or the secret's form is wrong; it never shows a secret.
    """
    try:
        made = _MAKERS[provider.kind]
        return made and made(provider, secret.strip(), clients)
    except ValueError as error:
        raise ValueError(f"dns provider {provider.name}: {error}") from error


def _rfc2136(provider: DnsProvider, secret: str, clients: DnsClients) -> DnsAdapter:
    server = endpoint(_needed(provider.server, "server"))
    key = tsig_key(secret)
    return Rfc2136Adapter(provider=provider.name, server=server, key=key, asker=clients.asker)


def _powerdns(provider: DnsProvider, secret: str, clients: DnsClients) -> DnsAdapter:
    headers = {"X-API-Key": _needed(secret, "credential"), "Content-Type": "application/json"}
    api = HttpApi(
        client=clients.http,
        base=_needed(provider.api, "api"),
        headers=headers,
        timeout_s=clients.timeout_s,
    )
    return PowerDnsAdapter(provider=provider.name, api=api)


def _route53(provider: DnsProvider, secret: str, clients: DnsClients) -> DnsAdapter:
    api = HttpApi(
        client=clients.http,
        base=provider.api or dns_route53.BASE,
        headers={"Content-Type": "application/xml"},
        auth=dns_route53.credentials(secret),
        timeout_s=clients.timeout_s,
    )
    zone_id = _needed(provider.zone_id, "zone_id").removeprefix("/hostedzone/")
    return Route53Adapter(provider=provider.name, api=api, zone_id=zone_id)


def _cloudflare(provider: DnsProvider, secret: str, clients: DnsClients) -> DnsAdapter:
    token = _needed(secret, "credential")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    api = HttpApi(
        client=clients.http,
        base=provider.api or dns_cloudflare.BASE,
        headers=headers,
        timeout_s=clients.timeout_s,
    )
    zone_id = _needed(provider.zone_id, "zone_id")
    return CloudflareAdapter(provider=provider.name, api=api, zone_id=zone_id)


def _needed(value: str, key: str) -> str:
    if not value:
        raise ValueError(f"needs {key!r}")
    return value


_Maker = Callable[[DnsProvider, str, DnsClients], DnsAdapter]
_MAKERS: Final[Mapping[DnsKind, _Maker | None]] = {
    DnsKind.RFC2136: _rfc2136,
    DnsKind.POWERDNS: _powerdns,
    DnsKind.ROUTE53: _route53,
    DnsKind.CLOUDFLARE: _cloudflare,
    DnsKind.OWN: None,
}
