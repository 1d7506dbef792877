"""Changes to the text of a ring of access keys: each returns a text that is read the same way."""

from __future__ import annotations

import base64
import secrets
from datetime import UTC, datetime

from cache_policies.access_ring import SECRET_BYTES_MIN, parse_ring


def new_secret() -> str:
    """Return a secret that nobody knows, as rings have it."""
    return base64.b64encode(secrets.token_bytes(SECRET_BYTES_MIN)).decode()


def new_ring(secret: str) -> str:
    """Return a ring with one key."""
    return f"key k1 {secret}\n"


def rotated(text: str, secret: str, from_wall: float) -> str:
    """Return the ring with another key, which signs from an instant on. Raises RingError."""
    known = parse_ring(text).keys
    number = next(no for no in range(1, len(known) + 2) if f"k{no}".encode() not in known)
    instant = datetime.fromtimestamp(int(from_wall), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return _with(text, f"key k{number} {secret} from {instant}")


def revoked(text: str, prefix: str) -> str:
    """Return the ring by which nothing opens a prefix that was signed before. Raises RingError."""
    number = max(parse_ring(text).revoked.values(), default=0) + 1
    return _with(text, f"revoke {number} {prefix}")


def _with(text: str, line: str) -> str:
    changed = text if text.endswith("\n") or not text else text + "\n"
    changed += line + "\n"
    parse_ring(changed)
    return changed
