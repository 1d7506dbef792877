"""What every DNS provider can be asked, whatever its interface. Adapters are `dns_*.py`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from failover.rrsets import RRsets


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiHealth:
    """What a daily look at a provider's interface has shown; what is wrong raises instead."""

    zone_said: str  # the zone as the provider calls it
    expires: str = ""  # when the credential ends (RFC 3339), if that is known
    detail: str = ""

    def left_s(self, now_wall: float) -> float:
        """Seconds until the credential ends; infinite if nobody says."""
        if not self.expires:
            return math.inf
        return datetime.fromisoformat(self.expires).timestamp() - now_wall


class DnsAdapter(Protocol):
    """One provider's records of the types in rrsets.TYPES. Every call is bounded in time.

    All of them raise DnsError. Any number of calls may run at once.
    """

    @property
    def provider(self) -> str:
        """The provider's name in the model."""
        ...

    @property
    def ttl_min_s(self) -> int:
        """The shortest TTL that it takes; a shorter one is raised to it."""
        ...

    async def read(self, zone: str, name: str) -> RRsets:
        """What the provider's interface says that a name has now."""
        ...

    async def replace(self, zone: str, name: str, expected: RRsets, wanted: RRsets) -> bool:
        """Put `wanted` in the place of `expected`; say whether anything had to be changed.

        Compare-and-set: ConflictError if the name has neither. Values are compared, TTLs are not:
        whoever shortens a TTL meanwhile stands in nobody's way.
        """
        ...

    async def check(self, zone: str) -> ApiHealth:
        """Whether the interface works, knows the zone and accepts the credential; no change."""
        ...
