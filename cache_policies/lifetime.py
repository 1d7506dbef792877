"""Freshness lifetime: how long a response may be reused from when it was generated."""

from cache_policies.dates import parse_date
from cache_policies.directives import DELTA_MAX_S, Directives
from cache_policies.message import ResponseHead
from cache_policies.policy import CachePolicy

HEURISTICALLY_CACHEABLE = frozenset({200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501})
"""Statuses whose responses may be kept without a word about it (RFC 9110 §15.1), without 206."""


def explicit_lifetime_s(
    response: ResponseHead, directives: Directives, date_wall: float
) -> float | None:
    """Return the lifetime that the response states, None if it states none (RFC 9111 §4.2.1)."""
    for name in (b"s-maxage", b"max-age"):
        if (seconds := directives.seconds(name)) is not None:
            return float(seconds)
    if directives.targeted or (expires := response.all(b"expires")) == []:
        return None
    moments = [parse_date(value, date_wall) for value in expires]
    valid = [moment for moment in moments if moment is not None]
    if len(valid) < len(moments):  # "0" and other junk mean the past (RFC 9111 §5.3)
        return 0.0
    return min(max(min(valid) - date_wall, 0.0), float(DELTA_MAX_S))


def heuristic_lifetime_s(
    response: ResponseHead, directives: Directives, date_wall: float, policy: CachePolicy
) -> float | None:
    """Return the lifetime guessed from Last-Modified, None without ground (RFC 9111 §4.2.2).

    A response that sets a cookie gets none: without explicit freshness it may be someone's own.
    """
    if response.status not in HEURISTICALLY_CACHEABLE and b"public" not in directives:
        return None
    if response.get(b"set-cookie") is not None:
        return None
    if policy.ttl_default_s is not None:
        return policy.ttl_default_s
    modified_wall = parse_date(response.get(b"last-modified"), date_wall)
    if modified_wall is None:
        return None
    guess_s = (date_wall - modified_wall) * policy.heuristic_fraction
    return min(max(guess_s, 0.0), policy.heuristic_max_s)


def lifetime_s(
    response: ResponseHead, directives: Directives, date_wall: float, policy: CachePolicy
) -> float:
    """Return the freshness lifetime in seconds: policy's, stated, or guessed (RFC 9111 §4.2)."""
    if policy.ttl_s is not None:
        return policy.ttl_s
    found_s = explicit_lifetime_s(response, directives, date_wall)
    if found_s is None:
        found_s = heuristic_lifetime_s(response, directives, date_wall, policy)
    return 0.0 if found_s is None else min(max(found_s, policy.ttl_min_s), policy.ttl_max_s)
