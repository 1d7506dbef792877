"""Whose tokens open which topics at this hub, by the ring that the whole node follows."""

from __future__ import annotations

from cache_policies.access import Denial
from cache_policies.access_ring import parse_ring
from cache_policies.signal_access import Claims, shared_ring, verify_signals


class Admission:
    """Reads tokens. Without access keys, the secret that origin and edges share signs them."""

    def __init__(self, ring: str | None, *, secret: str, region: str) -> None:
        """Raises RingError."""
        self._ring = shared_ring(secret) if ring is None else parse_ring(ring)
        self._region = region

    def follow(self, ring: str) -> None:
        """Read by other keys and revocations from now on; the supervisor has read them."""
        self._ring = parse_ring(ring)

    def __call__(self, token: str, now_wall: float, client: bytes) -> Claims | Denial:
        """What a token opens for a client, or why nothing."""
        return verify_signals(self._ring, token, now_wall, region=self._region, client=client)
