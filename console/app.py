"""The console's server: a table from path to file, conditional requests, and two probes."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from console.assets import Asset, asset, build_of, content_type_of, read_static
from console.failover import FailoverPage
from console.headers import IMMUTABLE, REVALIDATE, common_headers
from console.pages import public_config, render_pages
from console.popular import popular
from console.runbooks import read_runbooks
from console.settings import ConsoleSettings

Endpoint = Callable[[Request], Awaitable[Response]]
CODINGS = ("br", "gzip")  # best first


def accepted_coding(accept_encoding: str, bodies: Mapping[str, bytes]) -> str:
    """The best content coding that the client takes and we have (RFC 9110 §12.5.3)."""
    refused: set[str] = set()
    taken: set[str] = set()
    for item in accept_encoding.lower().split(","):
        name, _, parameters = item.partition(";")
        is_zero = parameters.replace(" ", "") in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
        (refused if is_zero else taken).add(name.strip())
    for coding in CODINGS:
        if coding in bodies and coding not in refused and (coding in taken or "*" in taken):
            return coding
    return "identity"


def none_match(if_none_match: str, etag: str) -> bool:
    """Whether the client's copy is another one (RFC 9110 §13.1.2, weak comparison)."""
    theirs = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return "*" not in theirs and etag not in theirs


def respond(request: Request, what: Asset, headers: dict[str, str], status: int = 200) -> Response:
    """The asset in the coding that fits, or 304 when the client already has it."""
    coding = accepted_coding(request.headers.get("accept-encoding", ""), what.bodies)
    etag = f'"{what.etag}"' if coding == "identity" else f'"{what.etag}-{coding}"'
    headers = headers | {"etag": etag, "vary": "accept-encoding"}
    condition = request.headers.get("if-none-match")
    if status == 200 and condition is not None and not none_match(condition, etag):
        return Response(status_code=304, headers=headers)
    if coding != "identity":
        headers["content-encoding"] = coding
    headers["content-type"] = what.content_type
    return Response(what.bodies[coding], status_code=status, headers=headers)


def create_app(settings: ConsoleSettings) -> Starlette:
    """The application; raises MissingScriptsError when `make setup` has not run."""
    files = read_static()
    build = build_of(files)
    static = {name: asset(body, content_type_of(name)) for name, body in files.items()}
    pages = render_pages(settings, build)
    runbooks = read_runbooks()
    admins = {each.name: each.url for each in settings.admins}
    config = asset(json.dumps(public_config(settings)).encode(), "application/json")
    common = common_headers(settings)
    fresh = common | {"cache-control": REVALIDATE}

    def fixed(what: Asset) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            return respond(request, what, fresh)

        return endpoint

    async def missing(request: Request, _: Exception | None = None) -> Response:
        return respond(request, pages["not_found"], fresh, 404)

    async def built(request: Request) -> Response:
        found = static.get(request.path_params["name"])
        if found is None or request.path_params["build"] != build:
            return await missing(request)
        return respond(request, found, common | {"cache-control": IMMUTABLE})

    async def named(request: Request) -> Response:
        found = static.get(request.url.path.removeprefix("/static/").removeprefix("/"))
        return await missing(request) if found is None else respond(request, found, fresh)

    async def runbook(request: Request) -> Response:
        found = runbooks.get(request.path_params["name"])
        return await missing(request) if found is None else respond(request, found, fresh)

    async def watched(request: Request) -> Response:
        return await popular(request, admins)

    failover = FailoverPage({each.name: each.url for each in settings.members})

    async def well(_: Request) -> Response:
        return Response("ok\n", media_type="text/plain", headers={"cache-control": "no-store"})

    routes = [
        Route("/", fixed(pages["feed"])),
        Route("/watch/{asset_id:str}", fixed(pages["watch"])),
        Route("/upload", fixed(pages["upload"])),
        Route("/popular", fixed(pages["popular"])),
        Route("/popular.json", watched),
        Route("/failover", fixed(pages["failover"])),
        Route("/failover.json", failover.seen),
        Route("/failover/plan.json", failover.planned),
        Route("/failover/orders", failover.ordered, methods=["POST"]),
        Route("/runbooks/{name:str}", runbook),
        Route("/config.json", fixed(config)),
        Route("/favicon.ico", fixed(static["icon.svg"])),
        Route("/static/{build:str}/{name:path}", built),
        Route("/static/{file:str}", named),
        Route("/vendor/{file:str}", named),
        Route("/.amaro/live", well),
        Route("/.amaro/ready", well),
    ]
    return Starlette(routes=routes, exception_handlers={404: missing})
