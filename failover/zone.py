"""A zone's data and what it answers (RFC 1034 §4.3.2, RFC 2308): no wildcards, no DNSSEC."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import dns.flags
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.rrset
from dns.name import Name
from dns.rdataset import Rdataset
from dns.rdatatype import RdataType
from dns.rdtypes.ANY.SOA import SOA

Node = Mapping[RdataType, Rdataset]
CHAIN_MAX: Final = 8  # CNAMEs that are followed inside the zone
ANY_TTL_S: Final = 3_600
ANY_TEXT: Final = '"RFC8482" ""'
_SERIALS: Final = 2**32


@dataclass(frozen=True, slots=True)
class Zone:
    """One zone, complete. It never changes; a new serial is a new zone."""

    origin: Name
    nodes: Mapping[Name, Node]  # absolute names; their case means nothing
    names: frozenset[Name] = field(init=False)  # with empty non-terminals (RFC 8020)

    def __post_init__(self) -> None:
        names = {self.origin}
        for name in self.nodes:
            for depth in range(len(name), len(self.origin), -1):
                names.add(name.split(depth)[1])
        object.__setattr__(self, "names", frozenset(names))

    @property
    def soa(self) -> SOA:
        """The start of authority."""
        found = self.nodes[self.origin][dns.rdatatype.SOA][0]
        assert isinstance(found, SOA)
        return found

    @property
    def serial(self) -> int:
        """The SOA's serial."""
        return int(self.soa.serial)

    def rrset(self, name: Name, rdtype: RdataType) -> dns.rrset.RRset | None:
        """The records of one type at a name, if there are any."""
        found = self.nodes.get(name, {}).get(rdtype)
        if found is None:
            return None
        return dns.rrset.from_rdata_list(name, found.ttl, list(found))

    def rrsets(self) -> Iterator[dns.rrset.RRset]:
        """All records but the SOA, for transfers."""
        for name, node in self.nodes.items():
            for rdtype, found in node.items():
                if rdtype is not dns.rdatatype.SOA:
                    yield dns.rrset.from_rdata_list(name, found.ttl, list(found))

    def with_node(self, name: Name, node: Node) -> Zone:
        """The zone with other records at a name."""
        nodes = {key: value for key, value in self.nodes.items() if key != name}
        return Zone(self.origin, nodes | ({name: node} if node else {}))

    def with_serial(self, serial: int) -> Zone:
        """The zone under another serial."""
        old = self.nodes[self.origin][dns.rdatatype.SOA]
        soa = dns.rdataset.from_rdata(old.ttl, self.soa.replace(serial=serial))
        return self.with_node(self.origin, dict(self.nodes[self.origin]) | {dns.rdatatype.SOA: soa})


@dataclass(slots=True)
class Found:
    """The sections of an answer, before they are rendered."""

    rcode: dns.rcode.Rcode = dns.rcode.NOERROR
    flags: int = dns.flags.AA
    answer: list[dns.rrset.RRset] = field(default_factory=list)
    authority: list[dns.rrset.RRset] = field(default_factory=list)
    additional: list[dns.rrset.RRset] = field(default_factory=list)


def is_newer(serial: int, than: int) -> bool:
    """Whether a serial comes after another (RFC 1982)."""
    return 0 < (serial - than) % _SERIALS < _SERIALS // 2


def next_serial(previous: int, now_wall: float) -> int:
    """A serial after `previous`: the time in seconds, so that it rises across restarts, too."""
    now = int(now_wall) % _SERIALS
    return now if is_newer(now, previous) else (previous + 1) % _SERIALS or 1


def look_up(zone: Zone, qname: Name, qtype: RdataType) -> Found:
    """Answer a question about a name inside the zone."""
    found = Found()
    name = qname
    for _ in range(CHAIN_MAX):
        if (cut := _cut_above(zone, name, qtype)) is not None:
            _refer(zone, cut, found)
            return found
        node = zone.nodes.get(name, {})
        alias = zone.rrset(name, dns.rdatatype.CNAME)
        if alias is None or qtype in {dns.rdatatype.CNAME, dns.rdatatype.ANY}:
            break
        found.answer.append(alias)
        name = alias[0].target
        if not name.is_subdomain(zone.origin) or name in {each.name for each in found.answer}:
            return found  # resolvers go on by themselves
    _answer_node(zone, name, node, qtype, found)
    return found


def _answer_node(zone: Zone, name: Name, node: Node, qtype: RdataType, found: Found) -> None:
    if qtype is dns.rdatatype.ANY and node:
        found.answer.append(_minimal_any(zone, name))
    elif qtype in node:
        found.answer.extend(_existing(zone.rrset(name, qtype)))
    else:
        found.rcode = dns.rcode.NOERROR if name in zone.names else dns.rcode.NXDOMAIN
        found.authority.append(_negative_soa(zone))


def _minimal_any(zone: Zone, name: Name) -> dns.rrset.RRset:
    """Nobody needs everything, but those who make others' addresses ask for it (RFC 8482 §4)."""
    alias = zone.rrset(name, dns.rdatatype.CNAME)
    return alias or dns.rrset.from_text(name, ANY_TTL_S, "IN", "HINFO", ANY_TEXT)


def _negative_soa(zone: Zone) -> dns.rrset.RRset:
    """The SOA, whose TTL says how long an absence is remembered (RFC 2308 §5)."""
    soa = zone.nodes[zone.origin][dns.rdatatype.SOA]
    return dns.rrset.from_rdata(zone.origin, min(soa.ttl, zone.soa.minimum), zone.soa)


def _cut_above(zone: Zone, name: Name, qtype: RdataType) -> Name | None:
    """The delegation under which a name lies, if there is one; a DS belongs above it."""
    for depth in range(len(zone.origin) + 1, len(name) + 1):
        above = name.split(depth)[1]
        if dns.rdatatype.NS in zone.nodes.get(above, {}):
            return None if (above == name and qtype is dns.rdatatype.DS) else above
    return None


def _refer(zone: Zone, cut: Name, found: Found) -> None:
    """Name the servers below a cut, with the addresses that only this zone knows."""
    servers = _existing(zone.rrset(cut, dns.rdatatype.NS))
    if not found.answer:
        found.flags &= ~dns.flags.AA
    found.authority.extend(servers)
    for server in servers[0]:
        for rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA):
            found.additional.extend(_existing(zone.rrset(server.target, rdtype)))


def _existing(rrset: dns.rrset.RRset | None) -> list[dns.rrset.RRset]:
    return [] if rrset is None else [rrset]
