"""`/tokens`: tokens for an application that decides itself who may watch what, from where."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cache_policies.access import Grant, bucket_end, mint
from origin.authorisation import is_authorised
from origin.delivery import private_json, refuse

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from origin.ring_file import RingFile

BODY_BYTES_MAX: Final = 4_096
LASTS_MAX_S: Final = 31 * 86_400
_KNOWN: Final = frozenset({"prefix", "region", "network", "lasts_s"})


@dataclass(slots=True, kw_only=True, eq=False)
class TokensApi:
    """Mints what an operator's application asks for."""

    keys: RingFile
    token: str | None
    clock: Callable[[], float]

    async def mint(self, request: Request) -> Response:
        """Answer a POST of `{"prefix": …}`, with `region`, `network` and `lasts_s` if wished."""
        if not is_authorised(request.headers.get("authorization"), self.token):
            challenge = {"www-authenticate": 'Bearer realm="amaro"'}
            return refuse(401, "Minting needs the admin token.", headers=challenge)
        ring = self.keys.ring
        if ring is None:
            return refuse(409, "This origin has no access keys: start it with --access-keys FILE.")
        now_wall = self.clock()
        try:
            grant = parse_wish(await _body(request), now_wall)
            token = mint(ring, grant, now_wall).decode()
        except ValueError as error:
            sentence = str(error)
            return refuse(400, f"{sentence[:1].upper()}{sentence[1:]}.")
        path = f"/~{token}{grant.prefix.decode()}"
        return private_json({"token": token, "path": path, "expires": grant.expires_wall})


def parse_wish(body: bytes, now_wall: float) -> Grant:
    """Return what a body asks for. Raises ValueError with a sentence, but for its full stop."""
    try:
        wish = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("The body is not JSON") from None
    if not isinstance(wish, dict) or not wish.keys() <= _KNOWN or "prefix" not in wish:
        raise ValueError("Want {prefix, region?, network?, lasts_s?}")
    lasts_s = wish.pop("lasts_s", None)
    if not all(isinstance(value, str) and value.isascii() for value in wish.values()):
        raise ValueError("prefix, region and network are strings")
    bound: dict[str, Any] = {name: value.encode() for name, value in wish.items()}
    return Grant(**bound, expires_wall=_expiry(lasts_s, now_wall))


def _expiry(lasts_s: object, now_wall: float) -> int:
    """Return when it ends: where nothing is said, with the hour after this one, for all alike."""
    if lasts_s is None:
        return bucket_end(now_wall)
    if type(lasts_s) is not int or not 0 < lasts_s <= LASTS_MAX_S:
        raise ValueError(f"lasts_s is a whole number from 1 to {LASTS_MAX_S}")
    return int(now_wall) + lasts_s


async def _body(request: Request) -> bytes:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_BYTES_MAX:
            raise ValueError(f"The body has more than {BODY_BYTES_MAX} bytes")
    return body
