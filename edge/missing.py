"""Why a request goes forward: what Cache-Status names beside what the upstream answered."""

from typing import Final, TypeAlias

from cache_policies.cache_status import CacheStatus, Forward
from cache_policies.message import RequestHead
from cache_policies.policy import CachePolicy
from cache_policies.reuse import Verdict
from cache_policies.why import Why

Miss: TypeAlias = tuple[Forward, Why]
NOTHING_STORED: Final = (Forward.URI_MISS, Why.COMPULSORY)
_ORIGINS_OWN: Final = frozenset({b"if-match", b"if-unmodified-since"})  # RFC 9111 §4.3.2


def passes(request: RequestHead, policy: CachePolicy) -> Miss | None:
    """Why a request goes to the origin whatever is stored; None when the cache may answer it."""
    if policy.bypass:
        return Forward.BYPASS, Why.POLICY
    if request.method not in (b"GET", b"HEAD"):
        return Forward.METHOD, Why.METHOD
    if any(name in _ORIGINS_OWN for name, _ in request.fields):
        return Forward.BYPASS, Why.PRECONDITION
    return None


def of_verdict(verdict: Verdict) -> Miss:
    """Why what is stored does not do."""
    asked = verdict.why.value.startswith("request-")
    return (Forward.REQUEST if asked else Forward.STALE), verdict.why


def of_miss(miss: Miss, status: int | None) -> CacheStatus:
    """What Cache-Status says of a forwarded request: why, and what it got."""
    forward, why = miss
    return CacheStatus(forward=forward, forward_status=status, detail=why.value)
