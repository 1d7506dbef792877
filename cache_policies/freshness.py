"""How old a stored response is, and whether that is still fresh (RFC 9111 §4.2; RFC 5861)."""

from cache_policies.stored import Stored
from cache_policies.why import Reuse


def initial_age_s(stored: Stored) -> float:
    """Return the age at arrival in seconds: corrected_initial_age (RFC 9111 §4.2.3)."""
    apparent_age_s = max(0.0, stored.response_wall - stored.date_wall)
    corrected_age_s = stored.age_s + stored.response_delay_s
    return max(apparent_age_s, corrected_age_s)


def current_age_s(stored: Stored, now_mono: float) -> float:
    """Return seconds since the origin made or validated the response, immune to clock steps."""
    return initial_age_s(stored) + (now_mono - stored.response_mono)


def fresh_until_mono(stored: Stored) -> float:
    """Return the monotonic instant at which a response stops being fresh; it is stale from then."""
    return stored.response_mono + stored.lifetime_s - initial_age_s(stored)


def judge(stored: Stored, now_mono: float) -> Reuse:
    """Say how a stored response may be reused at `now_mono`, whatever the request asks."""
    if stored.no_cache:
        return Reuse.EXPIRED
    stale_s = current_age_s(stored, now_mono) - stored.lifetime_s
    if stale_s < 0.0:
        return Reuse.FRESH
    if not stored.must_revalidate and stale_s < stored.swr_s:
        return Reuse.STALE_WHILE_REVALIDATE
    return Reuse.EXPIRED


def must_validate(stored: Stored, now_mono: float) -> bool:
    """Say whether it is stale and never served so: unvalidated, 504 (RFC 9111 §5.2.2.2)."""
    return stored.must_revalidate and current_age_s(stored, now_mono) >= stored.lifetime_s


def may_serve_on_error(stored: Stored, now_mono: float, asked_s: float = 0.0) -> bool:
    """Say whether the response may be served because its validation failed (RFC 5861 §4).

    A failure is a 5xx answer (500, 502, 503, 504) or none at all; `asked_s` is how stale an answer
    the request takes then.
    """
    if stored.no_cache:
        return False
    stale_s = current_age_s(stored, now_mono) - stored.lifetime_s
    window_s = 0.0 if stored.must_revalidate else max(stored.sie_s, asked_s)
    return stale_s < window_s
