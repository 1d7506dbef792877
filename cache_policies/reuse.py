"""What a request's own directives make of a stored response (RFC 9111 §5.2.1)."""

from dataclasses import dataclass

from cache_policies.directives import request_directives
from cache_policies.freshness import current_age_s, judge
from cache_policies.message import RequestHead
from cache_policies.policy import CachePolicy
from cache_policies.stored import Stored
from cache_policies.why import Reuse, Why


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a stored response may answer this request, and the reason."""

    reuse: Reuse
    why: Why


_OWN_STANDING = {
    Reuse.FRESH: Why.FRESH,
    Reuse.STALE_WHILE_REVALIDATE: Why.STALE_WHILE_REVALIDATE,
    Reuse.EXPIRED: Why.TTL,
}


def may_reuse(
    request: RequestHead, stored: Stored, policy: CachePolicy, now_mono: float
) -> Verdict:
    """Say how a selected stored response may answer `request` at `now_mono`.

    A request without Cache-Control gets `judge`'s answer, so a hit path may call that alone.
    """
    own = judge(stored, now_mono)
    if stored.no_cache:
        return Verdict(own, Why.NO_CACHE)
    standing = Verdict(own, _OWN_STANDING[own])
    directives = request_directives(request)
    if not directives.arguments or not policy.request_directives:
        return standing
    if b"no-cache" in directives:
        return Verdict(Reuse.EXPIRED, Why.REQUEST_NO_CACHE)
    age_s = current_age_s(stored, now_mono)
    max_age_s = directives.seconds(b"max-age")
    settled = stored.immutable and own is Reuse.FRESH  # a reload's max-age=0 learns nothing new
    if max_age_s is not None and age_s > max_age_s and not settled:
        return Verdict(Reuse.EXPIRED, Why.REQUEST_MAX_AGE)
    min_fresh_s = directives.seconds(b"min-fresh")
    if min_fresh_s is not None and stored.lifetime_s - age_s < min_fresh_s:
        return Verdict(Reuse.EXPIRED, Why.REQUEST_MIN_FRESH)
    if own is Reuse.FRESH:
        return standing
    if b"max-stale" in directives:
        limit_s = policy.request_max_stale_s
        if None not in directives.arguments[b"max-stale"]:  # bare, it takes any staleness
            limit_s = min(limit_s, directives.seconds(b"max-stale") or 0)
        if not stored.must_revalidate and age_s - stored.lifetime_s < limit_s:
            return Verdict(Reuse.STALE_ALLOWED, Why.REQUEST_MAX_STALE)
    elif max_age_s is not None:  # without max-stale it asks for a fresh one (RFC 9111 §5.2.1.1)
        return Verdict(Reuse.EXPIRED, Why.REQUEST_MAX_AGE)
    return standing


def only_if_cached(request: RequestHead, policy: CachePolicy) -> bool:
    """Say whether the request takes a 504 rather than a forwarded answer (RFC 9111 §5.2.1.7)."""
    return policy.request_directives and b"only-if-cached" in request_directives(request)


def stale_if_error_asked_s(request: RequestHead, policy: CachePolicy) -> float:
    """Return how stale an answer the request takes in place of an error, in s (RFC 5861 §4)."""
    said_s = request_directives(request).seconds(b"stale-if-error")
    return float(said_s) if said_s is not None and policy.request_directives else 0.0
