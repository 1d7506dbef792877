"""How many answers a network gets by UDP, where anybody may write anybody's address as sender."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, unique
from ipaddress import IPv6Address


@unique
class Verdict(Enum):
    """What becomes of an answer."""

    SEND = "send"
    TRUNCATE = "truncate"  # whoever really asked comes again by TCP
    DROP = "drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class RatePolicy:
    """When answers become fewer."""

    per_s: float = 500.0  # answers to one network (/24, /56)
    burst: float = 1_000.0
    slip: int = 2  # of those above, every so manieth is truncated, the others are dropped
    networks_max: int = 50_000


@dataclass(slots=True)
class _Bucket:
    left: float
    at_mono: float
    above: int = 0


@dataclass(slots=True)
class ResponseRate:
    """Token buckets by network. The oldest is forgotten when there are too many."""

    policy: RatePolicy
    buckets: dict[str, _Bucket] = field(default_factory=dict)

    def judge(self, address: str, now_mono: float) -> Verdict:
        """Say what becomes of an answer to an address."""
        network = network_of(address)
        bucket = self.buckets.pop(network, None)
        if bucket is None:
            bucket = _Bucket(self.policy.burst, now_mono)
            if len(self.buckets) >= self.policy.networks_max:
                del self.buckets[next(iter(self.buckets))]
        self.buckets[network] = bucket  # the last one asked stands last
        gained = max(0.0, now_mono - bucket.at_mono) * self.policy.per_s
        bucket.left = min(self.policy.burst, bucket.left + gained)
        bucket.at_mono = now_mono
        if bucket.left >= 1.0:
            bucket.left -= 1.0
            bucket.above = 0
            return Verdict.SEND
        bucket.above += 1
        return Verdict.TRUNCATE if bucket.above % self.policy.slip == 0 else Verdict.DROP


def network_of(address: str) -> str:
    """The network of a client: a /24, or a /56 of IPv6."""
    if ":" not in address:
        return address.rpartition(".")[0]
    packed = IPv6Address(address.partition("%")[0])
    if packed.ipv4_mapped is not None:
        return str(packed.ipv4_mapped).rpartition(".")[0]
    return packed.packed[:7].hex()
