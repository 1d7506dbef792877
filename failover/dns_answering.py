"""Queries to answers, without I/O. An answer is rendered once, then repeated for whoever asks."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
from dns.name import Name

from failover.dns_query import HEADER, Question, read_question
from failover.zone import Found, Zone, look_up

UDP_MAX_BYTES: Final = 1_232  # no fragments, whatever the client offers (DNS flag day 2020)
UDP_PLAIN_BYTES: Final = 512
TCP_MAX_BYTES: Final = 65_535
RENDERED_MAX: Final = 10_000  # answers that are kept, of all zones
TRANSFERS: Final = frozenset({dns.rdatatype.AXFR, dns.rdatatype.IXFR})
_HEAD: Final = struct.Struct("!HH")

_Key = tuple[bytes, int, int, int, bool]
_Rendered = tuple[int, bytes, bytes]
"""Flags, counts, and what follows the question."""


class Answerer:
    """Answers for its zones, and refuses everything else (no recursion)."""

    def __init__(self, rendered_max: int = RENDERED_MAX) -> None:
        self._rendered_max = rendered_max
        self._zones: dict[Name, Zone | None] = {}
        self._rendered: dict[_Key, _Rendered] = {}

    @property
    def zones(self) -> Mapping[Name, Zone | None]:
        """What it answers for; None: a zone that has expired or has not come yet."""
        return self._zones

    def publish(self, origin: Name, zone: Zone | None) -> None:
        """Answer from this zone from now on."""
        self._zones[origin] = zone
        self._rendered.clear()

    def zone_of(self, name: Name) -> Name | None:
        """The origin of the closest zone that a name lies in."""
        for depth in range(len(name), 0, -1):
            origin = name.split(depth)[1]
            if origin in self._zones:
                return origin
        return None

    def answer(self, wire: bytes, *, udp: bool) -> bytes | None:
        """The answer to a plain query; None: it is no such, or a transfer."""
        question = read_question(wire)
        if question is None or question.qtype in TRANSFERS:
            return None
        limit = _limit_bytes(question, udp)
        has_edns = question.payload_bytes is not None
        if question.edns_version:
            flags, counts, rest = self._bad_version(question)
        else:
            key = (question.name, question.qtype, question.qclass, limit, has_edns)
            known = self._rendered.get(key)
            if known is None:
                known = self._render(question, limit)
                if len(self._rendered) >= self._rendered_max:
                    self._rendered.clear()  # somebody asks for names that are not there
                self._rendered[key] = known
            flags, counts, rest = known
        flags |= dns.flags.RD if question.recursion_desired else 0
        return _HEAD.pack(question.number, flags) + counts + question.asked + rest

    def find(self, name: Name, qtype: int, qclass: int) -> Found:
        """What is to be answered, before it is rendered."""
        if qclass != dns.rdataclass.IN or (origin := self.zone_of(name)) is None:
            return Found(rcode=dns.rcode.REFUSED, flags=0)
        zone = self._zones[origin]
        if zone is None:
            return Found(rcode=dns.rcode.SERVFAIL, flags=0)
        return look_up(zone, name, dns.rdatatype.RdataType.make(qtype))

    def _render(self, question: Question, limit: int) -> _Rendered:
        name, _ = dns.name.from_wire(question.asked, 0)
        message = _message(question, name)
        fill(message, self.find(name, question.qtype, question.qclass))
        wire = message.to_wire(max_size=limit, prefer_truncation=True)
        flags = int.from_bytes(wire[2:4], "big")
        return flags, wire[4:12], wire[HEADER.size + len(question.asked) :]

    def _bad_version(self, question: Question) -> _Rendered:
        name, _ = dns.name.from_wire(question.asked, 0)
        message = _message(question, name)
        message.set_rcode(dns.rcode.BADVERS)
        wire = message.to_wire()
        flags = int.from_bytes(wire[2:4], "big")
        return flags, wire[4:12], wire[HEADER.size + len(question.asked) :]


def fill(message: dns.message.Message, found: Found) -> None:
    """Put what was found into a response."""
    message.set_rcode(found.rcode)
    message.flags |= found.flags
    message.answer.extend(found.answer)
    message.authority.extend(found.authority)
    message.additional.extend(found.additional)


def refuse(wire: bytes, rcode: dns.rcode.Rcode) -> bytes | None:
    """A response without sections to a message that could not be read; None: say nothing."""
    if len(wire) < HEADER.size or wire[2] & 0x80:
        return None  # no header, or itself a response: never answer an answer
    flags = int.from_bytes(wire[2:4], "big") & 0x7900  # opcode and RD are repeated
    return HEADER.pack(int.from_bytes(wire[:2], "big"), 0x8000 | flags | rcode, 0, 0, 0, 0)


def truncated(response: bytes) -> bytes:
    """The head and question of an answer, with TC: come again by TCP."""
    end = HEADER.size
    while response[end]:
        end += 1 + response[end]
    counts = b"\0\1" + bytes(6)
    flags = int.from_bytes(response[2:4], "big") | dns.flags.TC
    return response[:2] + flags.to_bytes(2, "big") + counts + response[HEADER.size : end + 5]


def _limit_bytes(question: Question, udp: bool) -> int:
    if not udp:
        return TCP_MAX_BYTES
    offered = question.payload_bytes or 0
    return UDP_MAX_BYTES if offered >= UDP_MAX_BYTES else UDP_PLAIN_BYTES


def _message(question: Question, name: Name) -> dns.message.QueryMessage:
    message = dns.message.QueryMessage(id=0)
    message.flags = dns.flags.QR
    rdclass = dns.rdataclass.RdataClass.make(question.qclass)
    rdtype = dns.rdatatype.RdataType.make(question.qtype)
    message.find_rrset(message.question, name, rdclass, rdtype, create=True, force_unique=True)
    if question.payload_bytes is not None:
        message.use_edns(0, payload=UDP_MAX_BYTES)
    return message
