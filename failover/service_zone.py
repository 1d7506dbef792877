"""The zone our own servers answer from: what stays, from a file; the rest by the decision."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import dns.name
import dns.rdatatype
from dns.name import Name
from dns.rdatatype import RdataType

from failover.decision import Choice, Decision
from failover.dns_records import rdataset
from failover.model import EVERYWHERE, Service
from failover.rrsets import TYPES, RRsets, chosen
from failover.zone import Node, Zone, next_serial


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceZone:
    """A zone and the services whose names lie in it."""

    base: Zone  # as the file has it
    services: tuple[Service, ...]

    def at(self, decision: Decision | None) -> Zone:
        """The zone that carries out a decision, under the file's serial.

        A service that nothing is decided about has the records of its first target.
        """
        zone = self.base
        for service in self.services:
            dns_settings = service.dns
            if dns_settings is None:
                continue
            name = dns.name.from_text(dns_settings.name)
            if not name.is_subdomain(zone.origin):
                continue
            choice = decision.choice(service.name, EVERYWHERE) if decision else None
            choice = choice or _undecided(service)
            ttl_s = dns_settings.ttl_suspect_s if choice.suspect else dns_settings.ttl_s
            targets = {target.name: target for target in service.targets}
            zone = zone.with_node(name, _node(zone, name, chosen(targets, choice, ttl_s)))
        return zone

    def after(self, previous: Zone | None, decision: Decision | None, now_wall: float) -> Zone:
        """The zone to publish: `previous` itself if nothing is new, else under a later serial."""
        zone = self.at(decision)
        if previous is None:
            return zone.with_serial(next_serial(zone.serial, now_wall))
        if zone.with_serial(previous.serial).nodes == previous.nodes:
            return previous
        return zone.with_serial(next_serial(previous.serial, now_wall))


def services_in(origin: Name, services: Iterable[Service]) -> tuple[Service, ...]:
    """The services whose names lie in a zone."""
    return tuple(
        each
        for each in services
        if each.dns is not None and dns.name.from_text(each.dns.name).is_subdomain(origin)
    )


def _undecided(service: Service) -> Choice:
    names = tuple(target.name for target in service.targets)
    shares = tuple((name, float(number == 0)) for number, name in enumerate(names))
    return Choice(service=service.name, region=EVERYWHERE, order=names, shares=shares)


def _node(zone: Zone, name: Name, wanted: RRsets) -> Node:
    """A name's records: those of other types stay, but nothing stands beside a CNAME."""
    changed = {dns.rdatatype.from_text(each) for each in TYPES}
    new: dict[RdataType, dns.rdataset.Rdataset] = {
        dns.rdatatype.from_text(each.type): rdataset(each, each.ttl_s) for each in wanted
    }
    if dns.rdatatype.CNAME in new:
        return new
    kept = {key: value for key, value in zone.nodes.get(name, {}).items() if key not in changed}
    return kept | new
