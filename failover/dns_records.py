"""RRsets of the model as dnspython has them, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dns.rdataclass
import dns.rdataset
import dns.rdatatype

from failover.rrsets import TYPES, RRset, RRsets, rrset

if TYPE_CHECKING:
    from dns.message import Message
    from dns.name import Name


def rdataset(of: RRset, ttl_s: int) -> dns.rdataset.Rdataset:
    """An RRset for a message or a zone."""
    return dns.rdataset.from_text(dns.rdataclass.IN, of.type, ttl_s, *of.values)


def of_answer(answer: Message, owner: Name) -> RRsets:
    """Those RRsets of an answer that belong to the name itself, not to its CNAME's target."""
    kinds = {dns.rdatatype.from_text(kind): kind for kind in TYPES}
    return tuple(
        rrset(kinds[each.rdtype], each.ttl, (rdata.to_text() for rdata in each))
        for each in answer.answer
        if each.name == owner and each.rdtype in kinds
    )
