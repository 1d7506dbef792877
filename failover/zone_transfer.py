"""A zone as messages: AXFR (RFC 5936), and IXFR that is answered as one (RFC 1995 §4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
from dns.message import Message
from dns.rdtypes.ANY.SOA import SOA

from failover.dns_answering import TCP_MAX_BYTES
from failover.dns_signed import response_to
from failover.zone import Zone, is_newer

MESSAGE_BYTES: Final = 16 * 1024  # about so much a message: names are compressed within one


def refusal(query: Message, rcode: dns.rcode.Rcode) -> bytes:
    """The answer to a transfer that is not for this client, or of no zone of ours."""
    response = response_to(query)
    response.set_rcode(rcode)
    return response.to_wire()


def transfer(query: Message, zone: Zone) -> Iterator[bytes]:
    """The messages of a transfer, signed with the query's key one after the other."""
    context = None
    for number, records in enumerate(_messages(query, zone)):
        response = _next_response(query, number)
        response.answer.extend(records)
        yield response.to_wire(max_size=TCP_MAX_BYTES, multi=query.had_tsig, tsig_ctx=context)
        context = response.tsig_ctx


def is_current(query: Message, zone: Zone) -> bool:
    """Whether an IXFR's client has this serial already, or even a later one."""
    if query.question[0].rdtype is not dns.rdatatype.IXFR:
        return False
    serials = [
        int(each[0].serial)
        for each in query.authority
        if each.rdtype is dns.rdatatype.SOA and isinstance(each[0], SOA)
    ]
    return bool(serials) and not is_newer(zone.serial, serials[0])


def soa_only(query: Message, zone: Zone) -> bytes:
    """One SOA: there is nothing new, or, by UDP, come again by TCP (RFC 1995 §2)."""
    response = response_to(query)
    response.flags |= 0x0400  # AA
    response.answer.append(_soa(zone))
    return response.to_wire()


def _messages(query: Message, zone: Zone) -> Iterator[list[dns.rrset.RRset]]:
    if is_current(query, zone):
        yield [_soa(zone)]
        return
    records, size = [_soa(zone)], 0
    for rrset in zone.rrsets():
        for part in _parts(rrset):
            size += sum(len(rdata.to_wire() or b"") + 12 for rdata in part) + len(
                part.name.to_wire() or b""
            )
            records.append(part)
            if size >= MESSAGE_BYTES:
                yield records
                records, size = [], 0
    # The closing SOA is a record of its own, also in a message that the first one opens.
    yield [*records, _soa(zone)]


def _parts(rrset: dns.rrset.RRset) -> Iterator[dns.rrset.RRset]:
    """A set that may not fit into a message, in pieces that do."""
    rdatas = list(rrset)
    for start in range(0, len(rdatas), 100):
        yield dns.rrset.from_rdata_list(rrset.name, rrset.ttl, rdatas[start : start + 100])


def _soa(zone: Zone) -> dns.rrset.RRset:
    found = zone.rrset(zone.origin, dns.rdatatype.SOA)
    assert found is not None
    return found


def _next_response(query: Message, number: int) -> Message:
    response = response_to(query)
    response.flags |= 0x0400  # AA
    if number:
        response.question.clear()  # RFC 5936 §2.2.1: in the first message only
    return response
