"""Whether a request proves to be an operator's."""

from __future__ import annotations

import secrets


def is_authorised(authorization: str | None, token: str | None) -> bool:
    """Say whether a field's value carries the admin token, compared in constant time."""
    if token is None or authorization is None:
        return False
    scheme, _, given = authorization.partition(" ")
    return scheme.lower() == "bearer" and secrets.compare_digest(
        given.strip().encode(), token.encode()
    )
