"""What name servers and resolvers were seen to say of a name, and what that comes to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from failover.dns_errors import (
    DnsError,
    ResolverUnreachableError,
    ServersUnreachableError,
    SplitAnswersError,
)
from failover.rrsets import RRsets, said, same_values


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one server said, first at this time."""

    server: str
    after_s: float  # the watch began
    found: RRsets = ()
    problem: str = ""  # in the place of an answer
    agrees: bool = False  # it says what is wanted

    def same_as(self, other: Seen | None) -> bool:
        """Whether another look has shown nothing new; a resolver's TTLs run down."""
        return (
            other is not None
            and (self.problem, self.agrees) == (other.problem, other.agrees)
            and same_values(self.found, other.found)
        )

    def __str__(self) -> str:
        return f"{self.server}: {self.problem or said(self.found)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A name whose change is looked after, and what it should have."""

    provider: str
    zone: str
    name: str
    wanted: RRsets

    def seen(self, server: str, found: RRsets, after_s: float) -> Seen:
        """An answer; TTLs are not compared: resolvers count them down."""
        agrees = same_values(found, self.wanted)
        return Seen(server=server, after_s=after_s, found=found, agrees=agrees)

    def complaint_of_servers(self, last: Iterable[Seen]) -> DnsError | None:
        """What is wrong with what all authoritative servers said last; None: they agree."""
        seen = list(last)
        if seen and all(each.agrees for each in seen):
            return None
        where = (self.provider, self.zone, self.name)
        if all(each.problem for each in seen):
            met = "; ".join(each.problem for each in seen) or "no name server is known"
            return ServersUnreachableError(*where, met)
        apart = "; ".join(str(each) for each in seen if not each.agrees)
        agreed = sum(each.agrees for each in seen)
        met = f"{agreed} of {len(seen)} servers have {said(self.wanted)}; not so {apart}"
        return SplitAnswersError(*where, met)

    def complaint_of_resolvers(self, last: Iterable[Seen]) -> DnsError | None:
        """What is wrong with what resolvers said when the old TTL was over; None: nothing."""
        where = (self.provider, self.zone, self.name)
        seen = list(last)
        old = "; ".join(str(each) for each in seen if not each.agrees and not each.problem)
        if old:
            return SplitAnswersError(*where, f"resolvers still say the old records: {old}")
        silent = "; ".join(each.problem for each in seen if each.problem)
        return ResolverUnreachableError(*where, silent) if silent else None
