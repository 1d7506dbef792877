"""For how long a response that is stored now may be of use to anybody (RFC 9111 §4.2; RFC 5861)."""

from typing import Final

from cache_policies.freshness import fresh_until_mono
from cache_policies.stored import Stored

CHECKED_MIN_BYTES: Final = 65_536  # a body of this size is worth a validation,
CHECKED_S: Final = 3_600.0  # for so long at least
LONGEST_S: Final = 30 * 86_400.0


def useful_for_s(stored: Stored, length: int, now_mono: float) -> float:
    """Seconds until nothing would be answered with it any more; 0 when it is of no use at all."""
    useful_s = 0.0
    if not stored.no_cache:
        stale_s = 0.0 if stored.must_revalidate else max(stored.swr_s, stored.sie_s)
        useful_s = fresh_until_mono(stored) - now_mono + stale_s
    is_checkable = stored.etag is not None or stored.last_modified is not None
    if is_checkable and length >= CHECKED_MIN_BYTES:
        useful_s = max(useful_s, CHECKED_S)
    return min(max(0.0, useful_s), LONGEST_S)
