"""The admin listeners of edges, as far as members use them: they keep what they are told.

Where what is measured is the members, not what an edge makes of their word: an edge's own listener
answers the same questions with the same words.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.served import served


def _app() -> Starlette:
    orders: dict[str, dict[str, Any]] = {
        "/steering": {"version": [0, 0], "services": [], "evidence": []},
        "/routes": {"version": [0, 0], "groups": {}},
    }

    async def ask(request: Request) -> Response:
        return JSONResponse(orders[request.url.path])

    async def put(request: Request) -> Response:
        order, known = await request.json(), orders[request.url.path]
        if order["version"] < known["version"]:
            return JSONResponse({"error": "a newer one is in force"}, status_code=409)
        orders[request.url.path] = known | order
        return JSONResponse({"version": order["version"]})

    return Starlette(
        routes=[
            route
            for path in orders
            for route in (Route(path, ask, methods=["GET"]), Route(path, put, methods=["PUT"]))
        ]
    )


@contextmanager
def recording_edges(number: int) -> Iterator[list[str]]:
    """Run so many until the end of the block; gives their URLs."""
    with ExitStack() as stack:
        yield [stack.enter_context(served(_app())) for _ in range(number)]
