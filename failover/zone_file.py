"""A zone from a master file (RFC 1035 §5): complaints name file and line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import dns.exception
import dns.name
import dns.node
import dns.rdataset
import dns.rdatatype
import dns.zone
from dns.name import Name
from dns.rdatatype import RdataType

from failover.zone import Node, Zone

_UNSERVED: Final = {dns.rdatatype.DNAME: "a DNAME", dns.rdatatype.RRSIG: "signatures"}
_PLACE: Final = re.compile(r"^(?P<file>.*):(?P<line>\d+): (?P<what>.*)$", re.DOTALL)


class ZoneFileError(Exception):
    """What is wrong with a zone file, and where: `FILE:LINE: …`."""


def parse_zone(text: str, origin: str, filename: str) -> Zone:
    """Read a zone; raises ZoneFileError."""
    try:
        found = _read(text, origin, filename)
    except dns.exception.SyntaxError as error:
        raise ZoneFileError(_placed(str(error), text, origin, filename)) from error
    except (dns.exception.DNSException, ValueError) as error:
        raise ZoneFileError(f"{filename}: {error or type(error).__name__}") from error
    zone = of_nodes(found.nodes, dns.name.from_text(origin))
    if (wrong := _wrong(zone)) is not None:
        name, what = wrong
        raise ZoneFileError(f"{filename}:{_line_of(text, name, zone.origin)}: {what}")
    return zone


def of_nodes(nodes: Mapping[Name, dns.node.Node], origin: Name) -> Zone:
    """A zone of what dnspython has read or transferred, under absolute names."""
    made: dict[Name, Node] = {}
    for name, node in nodes.items():
        rdatasets: dict[RdataType, dns.rdataset.Rdataset] = {
            each.rdtype: dns.rdataset.from_rdata_list(each.ttl, list(each)) for each in node
        }
        if rdatasets:
            made[name.derelativize(origin)] = rdatasets
    return Zone(origin, made)


def check_zone(zone: Zone) -> None:
    """Raise ValueError for a zone that cannot be served: one from a transfer, say."""
    if (wrong := _wrong(zone)) is not None:
        raise ValueError(wrong[1])


def _wrong(zone: Zone) -> tuple[Name, str] | None:
    """The first name that cannot be served, and why."""
    apex = zone.nodes.get(zone.origin, {})
    if len(apex.get(dns.rdatatype.SOA, ())) != 1:
        return zone.origin, f"the zone {zone.origin} needs one SOA record"
    if dns.rdatatype.NS not in apex:
        return zone.origin, f"the zone {zone.origin} needs NS records"
    for name, node in zone.nodes.items():
        if not name.is_subdomain(zone.origin):
            return name, f"{name} is not inside the zone {zone.origin}"
        if name.is_wild():
            return name, f"{name}: wildcards are not served"
        for rdtype in node:
            if rdtype in _UNSERVED:
                return name, f"{name}: {_UNSERVED[rdtype]} cannot be served"
        if dns.rdatatype.CNAME in node and len(node) > 1:
            return name, f"{name} has a CNAME and other records (RFC 1034 §3.6.2)"
    return None


def _read(text: str, origin: str, filename: str) -> dns.zone.Zone:
    return dns.zone.from_text(
        text,
        origin=origin,
        filename=filename,
        relativize=False,
        allow_include=False,
        check_origin=False,
    )


def _placed(message: str, text: str, origin: str, filename: str) -> str:
    """A syntax error with its place first. dnspython may have read on to the next line."""
    place = _PLACE.match(message)
    if place is None:
        return f"{filename}: {message}"
    line = int(place["line"])
    try:
        _read("\n".join(text.splitlines()[: line - 1]), origin, filename)
    except dns.exception.DNSException:
        line -= 1  # it is as wrong without that line
    return f"{filename}:{line}: {place['what']}"


def _line_of(text: str, name: Name, origin: Name) -> int:
    """The line on which a name is first written, 1 if it is only implied."""
    spelled = {name.to_text(), name.relativize(origin).to_text()}
    for number, line in enumerate(text.splitlines(), 1):
        if line.split(maxsplit=1)[:1] and line.split(maxsplit=1)[0] in spelled:
            return number
    return 1
