"""Whom the network says that things depend on: names, their chains, addresses and name servers."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

import dns.asyncresolver
import dns.exception
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver

from failover.endpoint import endpoint
from failover.model import Model, Provider

ANSWER_S: Final = 4.0  # for one name, whatever it takes
AT_ONCE: Final = 8

ODD: Final = (dns.exception.DNSException, OSError, EOFError, ValueError)
"""What comes of a name that cannot be asked for, or of whom it is asked."""

_ADDRESSES: Final = (dns.rdatatype.A, dns.rdatatype.AAAA)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """What a host came to, or why it came to nothing."""

    host: str
    names: tuple[str, ...] = ()  # canonical names on the way, and its zone's name servers
    addresses: tuple[str, ...] = ()
    servers: tuple[tuple[str, str], ...] = ()  # (name server of its zone, one of its addresses)
    why_not: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What resolving has shown of a model."""

    providers: dict[str, dict[str, str]]  # {kind/name: {provider: by what it was recognised}}
    unresolved: tuple[tuple[str, str], ...]  # (kind/name, why), which proves nothing


def hosts_of(model: Model) -> tuple[tuple[str, str], ...]:
    """(kind/name, host) of everything that must survive the targets and has a host to resolve."""
    found = [(f"host/{each.name}", _host(each.url)) for each in model.hosts]
    found += [(f"vantage/{each.name}", _host(each.url)) for each in model.vantages]
    for provider in model.dns_providers:
        what = f"dns-provider/{provider.name}"
        found += [(what, _without_port(server)) for server in provider.name_servers]
        found += [(what, host) for host in (_host(provider.api),) if host]
        found += [(what, host) for host in (_without_port(provider.server),) if host]
    for service in model.services:
        if service.steering is not None:
            found.append((f"steering/{service.name}", _host(service.steering.server_uri)))
    return tuple(dict.fromkeys(found))


async def look(model: Model, resolvers: Sequence[str] = ()) -> Seen:
    """Resolve everything once; `resolvers` are addresses, the system's if there are none.

    Raises ValueError for one that is none, NoResolverConfiguration where the system has none.
    """
    resolver = _resolver(resolvers)
    gate = asyncio.Semaphore(AT_ONCE)
    asked = hosts_of(model)
    hosts = tuple(dict.fromkeys([host for _, host in asked] + _target_hosts(model)))

    async def one(host: str) -> Resolved:
        async with gate:
            return await resolve(host, resolver)

    found = dict(zip(hosts, await asyncio.gather(*map(one, hosts)), strict=True))
    marks = (*model.providers, *_marks_of_targets(model, found))
    providers: dict[str, dict[str, str]] = {}
    unresolved = []
    for what, host in asked:
        if found[host].why_not:
            unresolved.append((what, f"{host}: {found[host].why_not}"))
        providers.setdefault(what, {}).update(recognised(found[host], marks))
    return Seen(providers=providers, unresolved=tuple(unresolved))


def recognised(resolved: Resolved, providers: Iterable[Provider]) -> dict[str, str]:
    """The providers that a host's names and addresses belong to, and which of them showed it."""
    found: dict[str, str] = {}
    for provider in providers:
        for name in resolved.names:
            if any(f".{name}".endswith(f".{domain}") for domain in provider.domains):
                found.setdefault(provider.name, f"{resolved.host} leads to {name}")
        networks = [ipaddress.ip_network(each) for each in provider.networks]
        at = [(address, f"{resolved.host} is at {address}") for address in resolved.addresses]
        at += [
            (address, f"{resolved.host} is answered for by {name} at {address}")
            for name, address in resolved.servers
        ]
        for address, how in at:
            if any(ipaddress.ip_address(address) in network for network in networks):
                found.setdefault(provider.name, how)
    return found


async def resolve(host: str, resolver: dns.asyncresolver.Resolver) -> Resolved:
    """Follow a host to its addresses; an address is itself."""
    try:
        return Resolved(host=host, addresses=(str(ipaddress.ip_address(host)),))
    except ValueError:
        pass
    try:
        async with asyncio.timeout(ANSWER_S):
            resolved, answering = await _follow(host, resolver)
    except (TimeoutError, dns.exception.Timeout):
        return Resolved(host=host, why_not=f"no answer within {ANSWER_S:g} s")
    except ODD as error:
        return Resolved(host=host, why_not=_said(error))
    at = await asyncio.gather(*(_addresses(each, resolver) for each in answering))
    return replace(resolved, servers=tuple(pair for pairs in at for pair in pairs))


async def _follow(
    host: str, resolver: dns.asyncresolver.Resolver
) -> tuple[Resolved, Iterable[dns.name.Name]]:
    """What a host comes to, and who answers for it."""
    name = dns.name.from_text(host)
    names, addresses = [], []
    for kind in _ADDRESSES:
        answer = await resolver.resolve(name, kind, raise_on_no_answer=False)
        names.append(answer.canonical_name)
        for rrset in answer.response.answer:
            names.append(rrset.name)
            addresses += [str(each) for each in rrset] if rrset.rdtype in _ADDRESSES else []
    answering: list[dns.name.Name] = []
    for canonical in tuple(dict.fromkeys((name, *names))):
        zone = await dns.asyncresolver.zone_for_name(canonical, resolver=resolver)
        servers = await resolver.resolve(zone, dns.rdatatype.NS, raise_on_no_answer=False)
        answering += [each.target for each in servers.rrset or ()]
    shown = dict.fromkeys(_shown(each) for each in (*names, *answering))
    resolved = Resolved(host=host, names=tuple(shown), addresses=tuple(dict.fromkeys(addresses)))
    return resolved, dict.fromkeys(answering)


async def _addresses(
    server: dns.name.Name, resolver: dns.asyncresolver.Resolver
) -> list[tuple[str, str]]:
    """Where a name server is; one that cannot be found shows nothing."""
    found = []
    for kind in _ADDRESSES:
        with suppress(*ODD):
            answer = await resolver.resolve(server, kind, raise_on_no_answer=False)
            found += [(_shown(server), str(each)) for each in answer.rrset or ()]
    return found


def _shown(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()


def _resolver(addresses: Sequence[str]) -> dns.asyncresolver.Resolver:
    """Raises ValueError for an address that is none, DNSException where the system has none."""
    resolver = dns.asyncresolver.Resolver(configure=not addresses)
    if addresses:
        servers = [endpoint(each) for each in addresses]
        for at in servers:
            ipaddress.ip_address(at.host)
        resolver.nameservers = [dns.nameserver.Do53Nameserver(at.host, at.port) for at in servers]
    resolver.lifetime = ANSWER_S
    return resolver


def _said(error: Exception) -> str:
    if isinstance(error, dns.resolver.NXDOMAIN):
        return "no such name"
    if isinstance(error, dns.resolver.NoNameservers):
        return "no name server answered"
    return str(error) or type(error).__name__


def _marks_of_targets(model: Model, found: dict[str, Resolved]) -> list[Provider]:
    """What targets resolve to is a mark of who runs them."""
    ours = {each.name for each in model.providers if each.ours}
    marks = []
    for service in model.services:
        for target in service.targets:
            addresses = [value for r in target.records if r.type != "CNAME" for value in r.values]
            for host in _hosts_of_target(target.pathway_host, target.route_url):
                addresses += found[host].addresses
            if target.needs.provider not in ours and addresses:
                marks.append(Provider(name=target.needs.provider, networks=tuple(addresses)))
    return marks


def _target_hosts(model: Model) -> list[str]:
    return [
        host
        for service in model.services
        for target in service.targets
        for host in _hosts_of_target(target.pathway_host, target.route_url)
    ]


def _hosts_of_target(pathway_host: str, route_url: str) -> list[str]:
    return [host for host in (_without_port(pathway_host), _host(route_url)) if host]


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _without_port(text: str) -> str:
    return endpoint(text).host if text else ""
