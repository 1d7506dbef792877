"""One selected representation on its way out: conditions, ranges, body in pieces."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from cache_policies.message import RequestHead
from cache_policies.validation import Evaluation, evaluate_at_origin
from origin.conditions import chosen_slice, http_date
from origin.responses import CORS, CacheClass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from origin.store import Objects


@dataclass(frozen=True, slots=True, kw_only=True)
class Representation:
    """What a URL stands for, after negotiation. The body is in memory or an object's key."""

    body: bytes | str
    length: int
    etag: str  # opaque part of a strong validator
    last_modified: float
    content_type: str
    cache_class: CacheClass
    tags: tuple[str, ...]
    coding: str | None = None
    varies: bool = False


class Delivery(Response):
    """An answer whose body is read from the store piece by piece, as fast as the peer takes it."""

    def __init__(
        self, status: int, headers: dict[str, str], source: tuple[Objects, str, int, int]
    ) -> None:
        super().__init__(status_code=status, headers=headers)
        self._source = source

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the head with the first piece in hand, so that a removed object is still a 404."""
        objects, key, first, last = self._source
        end = min(first + objects.piece_bytes - 1, last)
        try:
            piece = await objects.read(key, first, end)
        except FileNotFoundError:
            await refuse(404, "The object was removed.")(scope, receive, send)
            return
        start = {"type": "http.response.start", "status": self.status_code}
        await send({**start, "headers": self.raw_headers})
        while end < last:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            first, end = end + 1, min(end + objects.piece_bytes, last)
            piece = await objects.read(key, first, end)
        await send({"type": "http.response.body", "body": piece, "more_body": False})


def deliver(
    request: Request, what: Representation, objects: Objects, *, now_wall: float
) -> Response:
    """Return the answer to a GET or HEAD (RFC 9110 §13.2.2: conditions first, then ranges)."""
    headers = _validators(what)
    head = RequestHead(request.method.encode(), b"", b"", b"", tuple(request.scope["headers"]))
    etag, last_modified = headers["etag"].encode(), headers["last-modified"].encode()
    match evaluate_at_origin(head, etag, last_modified, now_wall):
        case Evaluation.NOT_MODIFIED:
            return Response(status_code=304, headers=headers)
        case Evaluation.PRECONDITION_FAILED:
            return refuse(412, "The resource is not the one that the conditions name.")
        case Evaluation.FULL:
            pass
    headers |= {"content-type": what.content_type, "accept-ranges": "bytes"}
    if what.coding is not None:
        headers["content-encoding"] = what.coding
    part = chosen_slice(head, etag, last_modified, what.length)
    if part is None:
        content_range = {"content-range": f"bytes */{what.length}"}
        return refuse(416, f"The resource has {what.length} bytes.", headers=content_range)
    headers["content-length"] = str(part.last - part.first + 1)
    if part.is_partial:
        headers["content-range"] = f"bytes {part.first}-{part.last}/{what.length}"
    status = 206 if part.is_partial else 200
    if isinstance(what.body, bytes):
        return Response(what.body[part.first : part.last + 1], status, headers=headers)
    if request.method == "HEAD" or what.length == 0:
        return Response(status_code=status, headers=headers)
    return Delivery(status, headers, (objects, what.body, part.first, part.last))


def refuse(
    status: int,
    sentence: str,
    *,
    cache_class: CacheClass = CacheClass.PRIVATE,
    headers: Mapping[str, str] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Response:
    """Return an error with a sentence for people and, for scripts, the facts behind it."""
    fields = {**CORS, "content-type": "application/json", "cache-control": cache_class.value}
    body = json.dumps({"error": sentence, **(facts or {})}).encode() + b"\n"
    return Response(body, status, headers={**fields, **(headers or {})})


def private_json(content: Mapping[str, Any]) -> Response:
    """Return an answer for whoever asked alone."""
    headers = {**CORS, "cache-control": CacheClass.PRIVATE.value}
    return Response(json.dumps(content), headers=headers, media_type="application/json")


def _validators(what: Representation) -> dict[str, str]:
    headers = {
        **CORS,
        "cache-control": what.cache_class.value,
        "etag": f'"{what.etag}"',
        "last-modified": http_date(what.last_modified),
        "surrogate-key": " ".join(what.tags),
    }
    if what.varies:
        headers["vary"] = "Accept-Encoding"
    return headers
