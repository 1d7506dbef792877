"""What a name resolves to: RRsets in one normal form, whichever interface they came from."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, get_args

from failover.decision import Choice
from failover.model import Record, RecordType, Target

TYPES: Final[tuple[RecordType, ...]] = get_args(RecordType)
"""The types that failover changes; a name's other records are left alone."""


@dataclass(frozen=True, slots=True, order=True)
class RRset:
    """The records of one type at a name (RFC 2181 §5); values are sorted, in normal form."""

    type: RecordType
    ttl_s: int
    values: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.type} {' '.join(self.values)} ({self.ttl_s} s)"


RRsets: TypeAlias = tuple[RRset, ...]
"""All RRsets of a name of the types in TYPES, sorted; empty: it has none."""


def absolute(name: str) -> str:
    """A domain name with its dot, in lower case (RFC 4343)."""
    return f"{name.rstrip('.')}.".lower()


def _cname(value: str) -> str:
    return absolute(value)


def _a(value: str) -> str:
    return str(ipaddress.IPv4Address(value))


def _aaaa(value: str) -> str:
    return str(ipaddress.IPv6Address(value))


_NORMAL: Final = {"A": _a, "AAAA": _aaaa, "CNAME": _cname}


def rrset(record_type: RecordType, ttl_s: int, values: Iterable[str]) -> RRset:
    """An RRset in normal form; raises ValueError for a value that its type cannot have."""
    normal = _NORMAL[record_type]
    return RRset(record_type, ttl_s, tuple(sorted({normal(value) for value in values})))


def rrsets(records: Iterable[Record], ttl_s: int) -> RRsets:
    """The RRsets of records that all have the same TTL."""
    values: dict[RecordType, set[str]] = {}
    for record in records:
        values.setdefault(record.type, set()).update(record.values)
    return tuple(sorted(rrset(each, ttl_s, values[each]) for each in values))


def with_ttl(found: RRsets, ttl_s: int) -> RRsets:
    """The same values with another TTL."""
    return tuple(RRset(each.type, ttl_s, each.values) for each in found)


def with_ttl_min(found: RRsets, ttl_min_s: int) -> RRsets:
    """The same values, with TTLs that are not shorter than this."""
    return tuple(RRset(each.type, max(each.ttl_s, ttl_min_s), each.values) for each in found)


def same_values(one: RRsets, other: RRsets) -> bool:
    """Whether both say the same, with whatever TTLs."""
    return with_ttl(one, 0) == with_ttl(other, 0)


def ttl_max_s(found: RRsets) -> int:
    """Seconds that a resolver may keep what it was told last; 0 if there is nothing."""
    return max((each.ttl_s for each in found), default=0)


def said(found: RRsets) -> str:
    """RRsets for people, on one line."""
    return ", ".join(map(str, found)) or "no records"


def chosen(targets: Mapping[str, Target], choice: Choice, ttl_s: int) -> RRsets:
    """The RRsets by which a choice is carried out in DNS, which knows no shares.

    All targets with a share answer by their addresses. A CNAME stands alone (RFC 1034 §3.6.2):
    as soon as one of them has one, the target with the largest share answers by itself. Nothing
    is chosen where all that was decided for is gone from the model.
    """
    known = [(name, share) for name, share in choice.shares if name in targets]
    inside = [targets[name].records for name, share in known if share > 0.0]
    inside = [records for records in inside if records]
    if any(record.type == "CNAME" for records in inside for record in records):
        largest = sorted(known, key=lambda share: -share[1])
        inside = [targets[name].records for name, _ in largest if targets[name].records][:1]
    return rrsets((record for records in inside for record in records), ttl_s)
