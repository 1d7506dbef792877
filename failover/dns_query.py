"""The plain query, read without a copy: all that a name server is asked day in, day out."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

HEADER: Final = struct.Struct("!HHHHHH")
_TYPE_CLASS: Final = struct.Struct("!HH")
_OPT: Final = struct.Struct("!BHHBBHH")  # root, type, payload, rcode, version, flags, length
OPT_TYPE: Final = 41
QR, OPCODE, RD = 0x8000, 0x7800, 0x0100
NAME_MAX_BYTES: Final = 255
LABEL_MAX_BYTES: Final = 63


@dataclass(frozen=True, slots=True)
class Question:
    """A query of opcode QUERY with one question and at most an OPT record."""

    number: int  # ID, to be repeated
    recursion_desired: bool  # to be repeated, too
    asked: bytes  # the question section as it was sent, in its own case
    name: bytes  # in wire form and lower case
    qtype: int
    qclass: int
    payload_bytes: int | None  # what the client takes by UDP; None: no EDNS (RFC 6891)
    edns_version: int = 0


def read_question(wire: bytes) -> Question | None:
    """Read a plain query; None: it is something else (signed, an update, malformed …)."""
    if len(wire) < HEADER.size + 5:
        return None
    number, flags, questions, answers, authorities, additionals = HEADER.unpack_from(wire)
    if flags & (QR | OPCODE) or (questions, answers, authorities) != (1, 0, 0) or additionals > 1:
        return None
    end = _name_end(wire, HEADER.size)
    if end is None or len(wire) < end + 4:
        return None
    qtype, qclass = _TYPE_CLASS.unpack_from(wire, end)
    payload, version = None, 0
    if additionals:
        if len(wire) < end + 4 + _OPT.size:
            return None
        root, kind, payload, _, version, _, length = _OPT.unpack_from(wire, end + 4)
        if root or kind != OPT_TYPE or len(wire) != end + 4 + _OPT.size + length:
            return None
    elif len(wire) != end + 4:
        return None
    asked = bytes(wire[HEADER.size : end + 4])
    name = asked[:-4].lower()  # lengths are below 64, so no letter
    return Question(number, bool(flags & RD), asked, name, qtype, qclass, payload, version)


def _name_end(wire: bytes, at: int) -> int | None:
    """Where an uncompressed name ends; None if it is none."""
    limit = at + NAME_MAX_BYTES
    while at < len(wire):
        length = wire[at]
        if length > LABEL_MAX_BYTES:
            return None
        at += 1 + length
        if at > limit:
            return None
        if length == 0:
            return at
    return None
