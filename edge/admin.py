"""The admin listener of a node: purge and status behind a token, metrics and health open."""

from __future__ import annotations

import asyncio
import hmac
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Final, Protocol

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from cache_policies.access_ring import RingError
from cache_policies.complaints import PolicyFileError
from edge.access_keys import AccessKeys
from edge.admin_connection import AdminConnection
from edge.gathering import LIMIT_MAX, Gathering
from edge.log_page import Carried, FeedError, carried_in
from edge.members import MembersError, read_order
from edge.membership import Membership
from edge.orders import BODY_MAX_BYTES, OrderError, PurgeOrder, parse_order
from edge.realtime.keeping import RealtimeError
from edge.receipts import Receipt
from edge.region import Region
from edge.standing_orders import OutdatedOrderError, StandingOrder
from edge.switching import Switched, SwitchError
from edge.warming import Warming

Handler = Callable[[Request], Awaitable[Response]]
Answer = Callable[["Administered", Request], Awaitable[Response]]

UNAUTHORISED = {"WWW-Authenticate": "Bearer"}


class Administered(Protocol):
    """What the admin listener needs of a node."""

    access: AccessKeys

    @property
    def is_ready(self) -> bool: ...
    def status(self) -> dict[str, object]: ...
    def rules(self) -> dict[str, object]: ...
    async def put_policies(self, text: bytes, name: str) -> Switched: ...
    async def metrics(self) -> bytes: ...
    async def purge(self, order: PurgeOrder) -> Receipt: ...
    @property
    def gathering(self) -> Gathering: ...
    @property
    def region(self) -> Region: ...
    @property
    def membership(self) -> Membership: ...
    @property
    def warming(self) -> Warming: ...
    async def publish(self, signal: object) -> None: ...

    steering: StandingOrder
    routes: StandingOrder

    async def steered(self) -> dict[str, object]: ...
    def routed(self) -> dict[str, object]: ...


def admin_app(node: Administered, token: str) -> Starlette:
    """Return the application behind `--admin`."""
    guarded = [
        Route(path, _guarded(partial(handler, node), token), methods=list(methods))
        for path, handler, methods in _GUARDED
    ]
    return Starlette(
        routes=[*guarded, *(Route(path, partial(handler, node)) for path, handler in _OPEN)]
    )


async def _purged(node: Administered, request: Request) -> Response:
    """The receipt of a purge: of an order, or of what a region's log has at its end."""
    try:
        body = await _body(request)
        if (carried := carried_in(body)) is not None:
            return await _heard(node.region, carried)
        order = parse_order(body)
    except (OrderError, FeedError) as error:
        return JSONResponse({"error": str(error)}, 400)
    receipt = await node.purge(order)
    return JSONResponse(receipt.to_mapping(), 200 if receipt.is_complete else 503)


async def _heard(region: Region, carried: Carried) -> Response:
    try:
        receipt, place = await region.hear(carried)
    except FeedError as error:
        place = {"log": carried.log, "number": region.number(carried.log), **region.name()}
        return JSONResponse({"error": str(error), **place}, 503)
    return JSONResponse(receipt.to_mapping() | place, 200 if receipt.is_complete else 503)


async def _status(node: Administered, _request: Request) -> Response:
    return JSONResponse(node.status() | {"shield": await node.membership.status()})


async def _members(node: Administered, request: Request) -> Response:
    """The region's members, after those that were put in their place."""
    try:
        if request.method == "PUT":
            node.membership.put(read_order(await _body(request)))
    except (OrderError, MembersError) as error:
        return JSONResponse({"error": str(error)}, 400)
    told = await node.membership.status()
    if told is None:
        return JSONResponse({"error": "this edge is in no region: --shield, or --peer"}, 404)
    return JSONResponse(told)


async def _rules(node: Administered, _request: Request) -> Response:
    return JSONResponse(node.rules())


async def _metrics(node: Administered, _request: Request) -> Response:
    return Response(await node.metrics(), media_type="text/plain; version=0.0.4")


async def _live(_node: Administered, _request: Request) -> Response:
    return PlainTextResponse("live\n")


async def _ready(node: Administered, _request: Request) -> Response:
    if node.is_ready:
        return PlainTextResponse("ready\n")
    return PlainTextResponse("not ready\n", 503)


async def _switched(node: Administered, request: Request) -> Response:
    """The answer to new policies: what is in force now, or why nothing has changed."""
    name = request.query_params.get("name", f"{request.method} /policies")
    try:
        switched = await node.put_policies(await _body(request), name)
    except OrderError as error:
        return JSONResponse({"error": str(error)}, 400)
    except PolicyFileError as error:
        return JSONResponse({"error": str(error), "errors": error.to_list()}, 400)
    except SwitchError as error:
        return JSONResponse({"error": str(error)}, 503)
    return JSONResponse(switched.to_mapping(), 503 if switched.hanging else 200)


async def _ranked(node: Administered, request: Request) -> Response:
    """What is popular in a region; with `counts` and `warm`, what other edges make use of."""
    asked = request.query_params
    try:
        limit = int(asked.get("limit", "20")[:9])
    except ValueError:
        limit = 0
    if not 1 <= limit <= LIMIT_MAX:
        return JSONResponse({"error": f"want a limit from 1 to {LIMIT_MAX}"}, 400)
    told = await node.gathering.popular(asked.get("region"), limit)
    told["prewarm"] = node.warming.summary()
    if "counts" in asked:
        told |= node.gathering.counts()
    if "warm" in asked:
        told |= node.warming.told()
    return JSONResponse(told)


async def _keys_read(node: Administered, _request: Request) -> Response:
    """The answer to a look at the access keys: which are in force now, never what they are."""
    try:
        taken = await node.access.look()
    except RingError as error:
        return JSONResponse({"error": str(error)}, 400)
    return JSONResponse(taken.to_mapping(), 503 if taken.hanging else 200)


async def _published(node: Administered, request: Request) -> Response:
    """The answer to a signal for pages."""
    try:
        await node.publish(json.loads(await _body(request)))
    except LookupError as error:
        return JSONResponse({"error": str(error)}, 404)
    except RealtimeError as error:
        return JSONResponse({"error": str(error)}, 503)
    except (ValueError, OrderError) as error:
        return JSONResponse({"error": str(error)}, 400)
    return JSONResponse({"published": True})


async def _steering(node: Administered, _request: Request) -> Response:
    return JSONResponse(await node.steered())


async def _routes(node: Administered, _request: Request) -> Response:
    return JSONResponse(node.routed())


async def _steering_put(node: Administered, request: Request) -> Response:
    return await _stood(node.steering, request)


async def _routes_put(node: Administered, request: Request) -> Response:
    return await _stood(node.routes, request)


async def _stood(order: StandingOrder, request: Request) -> Response:
    """The answer to an order that is to stand: 409 while a newer one does."""
    try:
        standing = await order.put(await _body(request))
    except OrderError as error:
        return JSONResponse({"error": str(error)}, 400)
    except OutdatedOrderError as error:
        return JSONResponse({"error": str(error), "version": order.version}, 409)
    return JSONResponse(standing.to_mapping(), 503 if standing.hanging else 200)


_GUARDED: Final[tuple[tuple[str, Answer, tuple[str, ...]], ...]] = (
    ("/purge", _purged, ("POST",)),
    ("/signals", _published, ("POST",)),
    ("/status", _status, ("GET",)),
    ("/popular", _ranked, ("GET",)),
    ("/members", _members, ("GET", "PUT")),
    ("/policies", _rules, ("GET",)),
    ("/policies", _switched, ("PUT", "POST")),
    ("/access", _keys_read, ("POST",)),
    ("/steering", _steering, ("GET",)),
    ("/steering", _steering_put, ("PUT",)),
    ("/routes", _routes, ("GET",)),
    ("/routes", _routes_put, ("PUT",)),
)
_OPEN: Final[tuple[tuple[str, Answer], ...]] = (
    ("/metrics", _metrics),
    ("/.amaro/live", _live),
    ("/.amaro/ready", _ready),
)


def _guarded(handler: Handler, token: str) -> Handler:
    """Return the handler behind a token, compared in constant time."""
    expected = f"Bearer {token}".encode()

    async def guarded(request: Request) -> Response:
        given = request.headers.get("authorization", "").encode("latin-1")
        if not token or not hmac.compare_digest(given, expected):
            why = "want the admin token: Authorization: Bearer TOKEN"
            return JSONResponse({"error": why}, 401, headers=UNAUTHORISED)
        try:
            return await handler(request)
        except ClientDisconnect:  # as an origin that dies while it carries a purge
            return Response(status_code=400)  # to nobody

    return guarded


async def _body(request: Request) -> bytes:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_MAX_BYTES:
            raise OrderError(f"at most {BODY_MAX_BYTES} bytes an order")
    return body


class _AdminServer(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield  # the node has its own handlers


@asynccontextmanager
async def serving(app: Starlette, listener: socket.socket) -> AsyncIterator[None]:
    """Serve the application on a listening socket for as long as the block lasts."""
    config = uvicorn.Config(
        app,
        access_log=False,
        http=AdminConnection,
        ws="none",
        lifespan="off",
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    server = _AdminServer(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await task
