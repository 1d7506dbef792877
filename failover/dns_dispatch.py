"""What our name server does with each message: answer, transfer, hear of news, or say no."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import dns.flags
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
from dns.message import Message
from dns.name import Name

from failover.dns_answering import (
    TCP_MAX_BYTES,
    TRANSFERS,
    UDP_MAX_BYTES,
    UDP_PLAIN_BYTES,
    Answerer,
    fill,
)
from failover.dns_signed import Keys, read_message, response_to
from failover.zone_transfer import is_current, refusal, soa_only, transfer

Reply: TypeAlias = bytes | Iterator[bytes] | None
"""One message, the messages of a transfer, or nothing."""


@dataclass(slots=True, kw_only=True)
class Counts:
    """What has been done since the start."""

    answered: int = 0
    refused: int = 0
    malformed: int = 0
    transfers: int = 0
    notified: int = 0
    limited: int = 0  # by the response rate
    crowded: int = 0  # connections closed because there were too many


@dataclass(slots=True, kw_only=True)
class Dispatcher:
    """One for all listeners of a name server."""

    answerer: Answerer
    keys: Keys  # that messages may be signed with
    transfer_keys: frozenset[Name] = frozenset()  # those of them that may have whole zones
    notified: Callable[[Name], bool] = lambda _: False  # whether somebody follows that zone
    counts: Counts = field(default_factory=Counts)

    def reply(self, wire: bytes, *, udp: bool) -> Reply:
        """Return what is to be sent back."""
        plain = self.answerer.answer(wire, udp=udp)
        if plain is not None:
            self.counts.answered += 1
            return plain
        message = read_message(wire, self.keys)
        if not isinstance(message, Message):
            self.counts.malformed += 1
            return message
        if message.flags & dns.flags.QR:
            return None
        if len(message.question) != 1:
            return self._no(message, dns.rcode.FORMERR)
        match message.opcode():
            case dns.opcode.QUERY if message.question[0].rdtype in TRANSFERS:
                return self._transfer(message, udp)
            case dns.opcode.QUERY:
                return self._answer(message, udp)
            case dns.opcode.NOTIFY:
                return self._note(message)
        return self._no(message, dns.rcode.NOTIMP)

    def _answer(self, query: Message, udp: bool) -> bytes:
        """A query that is signed, or unusual in another way."""
        question = query.question[0]
        response = response_to(query)
        fill(response, self.answerer.find(question.name, question.rdtype, question.rdclass))
        limit = TCP_MAX_BYTES
        if udp:
            limit = max(UDP_PLAIN_BYTES, min(query.payload, UDP_MAX_BYTES))
        self.counts.answered += 1
        return response.to_wire(max_size=limit, prefer_truncation=True)

    def _transfer(self, query: Message, udp: bool) -> Reply:
        question = query.question[0]
        zone = self.answerer.zones.get(question.name)
        if not query.had_tsig or query.keyname not in self.transfer_keys:
            return self._no(query, dns.rcode.REFUSED)
        if zone is None or question.rdclass != dns.rdataclass.IN:
            return self._no(query, dns.rcode.NOTAUTH)
        if udp and question.rdtype is dns.rdatatype.AXFR:
            return self._no(query, dns.rcode.FORMERR)  # RFC 5936 §4.2
        self.counts.transfers += 1
        if udp or is_current(query, zone):
            return soa_only(query, zone)
        return transfer(query, zone)

    def _note(self, query: Message) -> bytes:
        """A NOTIFY (RFC 1996 §3): only a signed one, and only for a zone that is followed."""
        if not query.had_tsig or not self.notified(query.question[0].name):
            return self._no(query, dns.rcode.REFUSED if not query.had_tsig else dns.rcode.NOTAUTH)
        self.counts.notified += 1
        response = response_to(query)
        response.flags |= dns.flags.AA
        return response.to_wire()

    def _no(self, query: Message, rcode: dns.rcode.Rcode) -> bytes:
        self.counts.refused += 1
        return refusal(query, rcode)
