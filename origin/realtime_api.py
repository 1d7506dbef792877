"""`/api/realtime`: a token for a page that wants to hear signals, for nobody in particular.

Who has no account here has a pseudonym, which stays the same while the page renews its token.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from starlette.responses import JSONResponse, Response

from cache_policies.access import TOKEN_BYTES_MAX
from cache_policies.signal_access import Claims, mint_signals, shared_ring, verify_signals
from origin.delivery import refuse
from origin.responses import CORS, CacheClass

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from cache_policies.access_ring import Ring
    from origin.ring_file import RingFile

TOKEN_S: Final = 900.0  # a page renews it before; who left cannot use it for long
RENEWABLE_S: Final = 86_400.0  # after its end: a phone may have slept
TOPICS: Final = ("story:*", "feed:*")  # what everybody may see, they may hear of


@dataclass(frozen=True, slots=True, kw_only=True)
class RealtimeApi:
    """Answers POST; the body is a token to renew, or nothing."""

    keys: RingFile
    token: str | None
    clock: Callable[[], float]

    async def mint(self, request: Request) -> Response:
        """Return a token."""
        ring = self._ring()
        if ring is None:
            return refuse(404, "This origin shares no key with edges: there are no signals.")
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > TOKEN_BYTES_MAX:
                return refuse(413, "That is no token.")
        now_wall, old = self.clock(), body.decode("latin-1").strip()
        known = verify_signals(ring, old, now_wall - RENEWABLE_S)
        subject = secrets.token_urlsafe(9)
        if isinstance(known, Claims) and known.topics == TOPICS:  # not an account's
            subject = known.subject
        claims = Claims(subject, TOPICS, now_wall + TOKEN_S)
        token = mint_signals(ring, claims, now_wall)
        said = {"token": token, "expires_in_s": TOKEN_S, "subject": subject}
        headers = {**CORS, "cache-control": CacheClass.PRIVATE.value}
        return JSONResponse(said, headers=headers)

    def _ring(self) -> Ring | None:
        """The access keys, else a ring of the token that edges have, too."""
        if self.keys.ring is None and self.token is not None:
            return shared_ring(self.token)
        return self.keys.ring
