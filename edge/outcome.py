"""How a request that was no plain hit was answered: one word each for result, reason and tier."""

from dataclasses import dataclass
from typing import Final

from cache_policies.cache_status import CacheStatus, Forward
from cache_policies.why import Why

MEMORY: Final = "memory"
DISK: Final = "disk"
ORIGIN: Final = "origin"
PEER: Final = "peer"  # another worker of this node
EDGE: Final = "edge"  # another edge of the region
NOWHERE: Final = "none"  # refused, failed, or the edge's own answer

_STALE: Final = frozenset(
    why.value for why in (Why.STALE_WHILE_REVALIDATE, Why.STALE_IF_ERROR, Why.REQUEST_MAX_STALE)
)
_PASSED: Final = frozenset({Forward.BYPASS, Forward.METHOD})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is said of an answer in metrics and logs."""

    result: str  # hit-slow, stale, revalidated, miss, bypass, own, refused or error
    reason: str  # a named reason, or why the request went forward
    tier: str  # where the body came from
    ttl_s: int | None = None


OWN: Final = Outcome("own", "own", NOWHERE)


def failed(reason: str) -> Outcome:
    """There was no response to give, or it broke off."""
    return Outcome("error", reason, NOWHERE)


def refused(reason: str) -> Outcome:
    """The request was none that anybody may answer."""
    return Outcome("refused", reason, NOWHERE)


def of_answer(says: CacheStatus, tier: str) -> Outcome:
    """What Cache-Status says in a few words, said in three."""
    forward = says.forward
    if forward is None:
        held_by = MEMORY if tier in (ORIGIN, PEER, EDGE) else tier
        if says.detail in _STALE:
            return Outcome("stale", says.detail or "", held_by, says.ttl_s)
        return Outcome("hit-slow", Why.FRESH.value, held_by, says.ttl_s)
    reason = says.detail or forward.value.decode()
    if says.forward_status is None:
        return failed(reason)
    if says.forward_status == 304 and says.ttl_s is not None:
        return Outcome("revalidated", reason, MEMORY, says.ttl_s)
    result = "bypass" if forward in _PASSED else "miss"
    return Outcome(result, reason, tier, says.ttl_s)
