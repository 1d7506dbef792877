"""Where an asset's names begin, for those who may watch: with the token that opens them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cache_policies.access import BUCKET_S, Grant, bucket_end, mint

if TYPE_CHECKING:
    from cache_policies.access_ring import Ring


def asset_base(ring: Ring | None, asset_id: str, duration_s: float | None, now_wall: float) -> str:
    """Return the path of an asset's names, without a slash at its end.

    All who ask within one hour get the same, and it opens for an hour at least, or for the whole
    video if that is longer: whoever begins to watch can watch to the end.
    """
    base = f"/v/{asset_id}"
    if ring is None:
        return base
    expires_wall = bucket_end(now_wall, needed_s=duration_s or 0.0)
    token = mint(ring, Grant(f"{base}/".encode(), expires_wall), now_wall)
    return f"/~{token.decode()}{base}"


def opens_for_s(ring: Ring | None, duration_s: float | None, now_wall: float) -> float | None:
    """Return for how long such a path opens; None where it always does."""
    if ring is None:
        return None
    return bucket_end(now_wall, needed_s=duration_s or 0.0) - now_wall


def signed_since(ring: Ring | None, now_wall: float) -> float:
    """Return since when paths are as they are now, in unix seconds: 0 where nothing signs them."""
    return 0.0 if ring is None else now_wall // BUCKET_S * BUCKET_S
