"""How much may be prewarmed now: budgets that fill with time, and players, who come first."""

from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from edge.settings import EdgeSettings

LOOP, FILLS, UPLINK = "loop-late", "fills-wait", "uplink-busy"  # why it waits
SHED = "shed"
BYTES, REQUESTS, MEMORY = "bytes", "requests", "memory"
BURST_S: Final = 1.0  # of a budget may be used at once


@dataclass(frozen=True, slots=True, kw_only=True)
class PrewarmPolicy:
    """What prewarming may take of a worker, and what makes it wait."""

    uplink_bps: float = 125e6  # bytes a second that upstreams can give
    uplink_share: float = 0.2  # of these
    requests_per_s: float = 50.0
    memory_share: float = 0.25  # of memory, for what nobody has asked for yet
    at_once: int = 4
    late_max_s: float = 0.02  # of the event loop
    waiting_max: int = 8  # players that wait for the head of a fill
    busy_share: float = 0.8  # of the uplink, when players take it

    def warming(self) -> "PrewarmPolicy":
        """What it may take before the node is ready: nobody else needs it."""
        return replace(self, uplink_share=0.9, requests_per_s=2000.0, memory_share=0.8, at_once=32)

    def share(self, workers: int) -> "PrewarmPolicy":
        """What one of `workers` workers may take."""
        return replace(
            self,
            uplink_bps=self.uplink_bps / workers,
            requests_per_s=self.requests_per_s / workers,
        )


def policy_of(settings: EdgeSettings) -> PrewarmPolicy | None:
    """What a node's settings allow; None when it fetches nothing ahead."""
    if not settings.prewarm:
        return None
    return PrewarmPolicy(
        uplink_bps=settings.uplink_bps,
        uplink_share=settings.prewarm_share,
        requests_per_s=settings.limits.prewarm_requests_per_s,
    )


class Pressure(NamedTuple):
    """What players make of a worker just now."""

    late_s: float = 0.0  # the event loop, at its last looks
    waiting: int = 0  # players that wait for a head
    players_bps: float = 0.0  # bytes a second that come from upstreams for players
    is_shed: bool = False  # the worker has more to do than it can: this goes first


def yields(pressure: Pressure, policy: PrewarmPolicy) -> str:
    """Why prewarming has to wait for players; "" when it has not."""
    if pressure.is_shed:
        return SHED
    if pressure.late_s > policy.late_max_s:
        return LOOP
    if pressure.waiting > policy.waiting_max:
        return FILLS
    if pressure.players_bps > policy.busy_share * policy.uplink_bps:
        return UPLINK
    return ""


class Allowance:
    """A budget that fills with time; what is taken beyond it is owed."""

    def __init__(self, per_s: float, now_s: float) -> None:
        self.per_s = per_s
        self._left = per_s * BURST_S
        self._at_s = now_s

    def left(self, now_s: float) -> float:
        """What may be taken now."""
        filled = self._left + max(0.0, now_s - self._at_s) * self.per_s
        self._left = min(filled, self.per_s * BURST_S)
        self._at_s = max(self._at_s, now_s)
        return self._left

    def take(self, amount: float, now_s: float) -> None:
        """Take it."""
        self._left = self.left(now_s) - amount


class Budget:
    """What one worker may still prewarm."""

    def __init__(self, policy: PrewarmPolicy, memory_bytes: int, now_s: float) -> None:
        self.policy = policy
        self._memory_bytes = memory_bytes
        self._bytes = Allowance(policy.uplink_bps * policy.uplink_share, now_s)
        self._requests = Allowance(policy.requests_per_s, now_s)

    def refuses(self, pressure: Pressure, waiting_bytes: int, now_s: float) -> str:
        """Why nothing may be asked for now; "" when something may."""
        if waiting_bytes >= self.policy.memory_share * self._memory_bytes:
            return MEMORY
        if self._requests.left(now_s) < 1.0:
            return REQUESTS
        if not self.has_bytes(now_s):
            return BYTES
        return yields(pressure, self.policy)

    def has_bytes(self, now_s: float) -> bool:
        """Whether its share of the uplink is not used up."""
        return self._bytes.left(now_s) > 0.0

    def ask(self, now_s: float) -> None:
        """Count a request."""
        self._requests.take(1.0, now_s)

    def receive(self, size_bytes: int, now_s: float) -> None:
        """Count bytes that came."""
        self._bytes.take(size_bytes, now_s)
