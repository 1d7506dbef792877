"""The origin's ASGI application: routes, and the fields of answers that no route makes."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route

from origin.delivery import refuse
from origin.responses import CORS, PREFLIGHT, TUS_CORS, CacheClass

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from origin.assets_api import AssetsApi
    from origin.chores import Chores
    from origin.feed import Feed
    from origin.playback import Playback
    from origin.purges_api import PurgesApi
    from origin.realtime_api import RealtimeApi
    from origin.tokens_api import TokensApi
    from origin.tus import Tus

READ = ["GET", "HEAD"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What answers, by what is asked for."""

    playback: Playback
    feed: Feed
    assets: AssetsApi
    purges: PurgesApi
    tokens: TokensApi
    realtime: RealtimeApi
    tus: Tus


def build_app(parts: Parts, chores: Chores) -> OriginApp:
    """Return the application; `chores` run for as long as it does."""

    tus = parts.tus

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with chores:
            yield

    async def live(_request: Request) -> Response:
        return _plain(200, "live")

    async def ready(_request: Request) -> Response:
        reason = await chores.why_not_ready()
        return _plain(200 if reason is None else 503, reason or "ready")

    async def play(request: Request) -> Response:
        return await parts.playback(request)

    async def fragment(request: Request) -> Response:
        return await parts.feed(request)

    routes = [
        Route("/.amaro/live", live, methods=READ),
        Route("/.amaro/ready", ready, methods=READ),
        Route("/v/{asset_id}/{name}", play, methods=READ),
        Route("/feed/{region}", fragment, methods=READ),
        Route("/api/assets/{asset_id}", parts.assets.show, methods=READ),
        Route("/api/assets/{asset_id}/cancel", parts.assets.cancel, methods=["POST"]),
        Route("/api/realtime", parts.realtime.mint, methods=["POST"]),
        Route("/purges", parts.purges.read, methods=["GET"]),
        Route("/tokens", parts.tokens.mint, methods=["POST"]),
        Route("/purges", parts.purges.order, methods=["POST"]),
        Route("/uploads", tus.collection, methods=["POST"]),
        Route("/uploads/", tus.collection, methods=["POST"]),
        Route("/uploads/{upload_id}", tus.upload, methods=["HEAD", "PATCH", "DELETE", "POST"]),
    ]
    starlette = Starlette(
        routes=routes,
        lifespan=lifespan,
        exception_handlers={HTTPException: _unrouted, ClientDisconnect: _left},
    )
    starlette.router.redirect_slashes = False
    return OriginApp(starlette, tus)


class OriginApp:
    """Answers OPTIONS for every path: CORS preflights and tus discovery are the same answer."""

    def __init__(self, app: ASGIApp, tus: Tus) -> None:
        self._app = app
        self.drain = tus.drain  # before a shutdown waits for requests
        self._answer = Response(
            status_code=204,
            headers={**TUS_CORS, **PREFLIGHT, **tus.options(), "cache-control": "no-store"},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_options = scope["type"] == "http" and scope["method"] == "OPTIONS"
        await (self._answer if is_options else self._app)(scope, receive, send)


async def _unrouted(_request: Request, error: Exception) -> Response:
    """Answer for paths and methods that no route takes."""
    if not isinstance(error, HTTPException):
        raise error
    sentences = {404: "There is nothing at this path.", 405: "This path does not take that method."}
    sentence = sentences.get(error.status_code, error.detail)
    return refuse(error.status_code, sentence, headers=error.headers)


async def _left(_request: Request, _error: Exception) -> Response:
    """Answer nobody: the client left in the middle of its body."""
    return Response(status_code=400)


def _plain(status: int, text: str) -> Response:
    headers = {**CORS, "cache-control": CacheClass.PRIVATE.value}
    return Response(f"{text}\n", status, headers=headers, media_type="text/plain")
