"""Messages between name servers, signed with TSIG (RFC 8945), and refusals that can be signed."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final, TypeAlias

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.tsig
from dns.message import Message
from dns.name import Name

from failover.dns_answering import refuse

Keys: TypeAlias = Mapping[Name, dns.tsig.Key]
FUDGE_S: Final = 300  # between two clocks
_TSIG_HEAD: Final = struct.Struct("!HHIH")
_TIMES: Final = struct.Struct("!HIH")  # 48 bits of seconds, fudge
_TAIL: Final = struct.Struct("!HHHH")  # MAC size, original ID, error, other length


def read_message(wire: bytes, keys: Keys) -> Message | bytes | None:
    """Read a message, with a signature that is right if it has one.

    Bytes are what to answer instead (RFC 8945 §5.2), None is nothing at all.
    """
    try:
        return dns.message.from_wire(wire, keyring=dict(keys))
    except (dns.message.UnknownTSIGKey, dns.tsig.BadKey, dns.tsig.BadAlgorithm):
        return _unsigned_error(wire, dns.rcode.BADKEY)
    except dns.tsig.BadSignature:
        return _unsigned_error(wire, dns.rcode.BADSIG)
    except dns.tsig.BadTime:
        return _unsigned_error(wire, dns.rcode.BADTIME)
    except (dns.exception.DNSException, ValueError):
        return refuse(wire, dns.rcode.FORMERR)


def response_to(query: Message) -> Message:
    """An empty response, to be signed with the query's key when it is rendered."""
    response = dns.message.make_response(query, fudge=FUDGE_S)
    response.flags &= ~0x0080  # RA: there is no recursion
    return response


def _unsigned_error(wire: bytes, error: dns.rcode.Rcode) -> bytes | None:
    """NOTAUTH with a TSIG record that has no MAC: the client learns which of the two it is."""
    head = refuse(wire, dns.rcode.NOTAUTH)
    try:
        plain = dns.message.from_wire(wire, keyring=False)  # read, not verified
    except (dns.exception.DNSException, ValueError):
        plain = None
    if head is None or plain is None or plain.tsig is None:
        return head
    signed = plain.tsig[0]
    rdata: bytes = (
        signed.algorithm.to_wire()
        + _TIMES.pack(signed.time_signed >> 32, signed.time_signed & 0xFFFFFFFF, FUDGE_S)
        + _TAIL.pack(0, plain.id, error, 0)
    )
    owner = plain.tsig.name.to_wire() or b""
    record = owner + _TSIG_HEAD.pack(dns.rdatatype.TSIG, 255, 0, len(rdata)) + rdata
    return head[:10] + b"\0\1" + record
