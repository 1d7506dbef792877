"""`/popular.json`: what an edge's admin listener says is watched, for who has its token."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

PATIENCE_S = 5.0
ANSWER_BYTES_MAX = 1024 * 1024
PASSED_ON = ("region", "limit")


def refused(status: int, why: str) -> Response:
    """An answer that says what is wrong."""
    return JSONResponse({"error": why}, status, headers={"cache-control": "no-store"})


async def popular(
    request: Request, admins: Mapping[str, str], transport: httpx.AsyncBaseTransport | None = None
) -> Response:
    """The answer of the edge that `edge` names; browsers do not reach admin listeners themselves.

    The token is the request's own: the console holds none.
    """
    asked = request.query_params
    admin = admins.get(asked.get("edge", ""))
    if admin is None:
        return refused(404, "no such edge; amaro console serve --edge-admin NAME=URL names them")
    query = urlencode({name: asked[name] for name in PASSED_ON if name in asked})
    fields = {b"authorization": dict(request.headers.raw).get(b"authorization", b"")}
    try:
        async with httpx.AsyncClient(
            transport=transport, timeout=PATIENCE_S, trust_env=False
        ) as http:
            said = await http.get(f"{admin}/popular?{query}", headers=fields)
    except httpx.HTTPError:
        return refused(502, "the edge does not answer")
    if len(said.content) > ANSWER_BYTES_MAX:
        return refused(502, "the edge says too much")
    return Response(
        said.content,
        said.status_code,
        {"cache-control": "no-store", "x-content-type-options": "nosniff"},
        media_type="application/json",
    )
