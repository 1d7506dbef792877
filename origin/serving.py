"""The origin as a process: one uvicorn server on uvloop, until a signal ends it."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
import uvicorn
import uvloop

from cache_policies.access_ring import RingError
from origin.ring_file import RingFile
from origin.service import open_app
from origin.store import open_objects
from segmenter.jobs import JobQueue

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

    from origin.settings import OriginSettings

KEEP_ALIVE_S: Final = 75
DRAIN_S: Final = 5  # uploads cut off then lose nothing: their bytes are kept
CONNECTIONS_MAX: Final = 4_096
BACKLOG: Final = 2_048


class StartError(Exception):
    """Why an origin cannot start: a sentence that names the option to change."""


def run(settings: OriginSettings, *, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT; the address is printed once it accepts connections."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    check(settings)
    try:
        listener = bind(host, port)
    except OSError as error:
        raise StartError(f"--listen {host}:{port}: {error.strerror}.") from error
    with listener:
        uvloop.run(serve(settings, listener))


def check(settings: OriginSettings) -> None:
    """Raise StartError for what cannot work, before anything is opened."""
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(f"--data {settings.data}: {error.strerror}.") from error
    try:
        open_objects(settings.store_url or settings.data / "objects")
    except (ValueError, OSError) as error:
        raise StartError(f"--store {settings.store_url}: {error}.") from error
    try:
        RingFile(settings.access_keys, settings.access_ring, lambda: 0.0)
    except RingError as error:
        raise StartError(f"--access-keys {settings.access_keys or ''}: {error}.") from error
    for option, url in (("--catalog", settings.catalog_url), ("--jobs", settings.jobs_url)):
        if url is not None:
            _check_database(option, url)


def _check_database(option: str, text: str) -> None:
    try:
        url = sa.make_url(text)
        shown = url.render_as_string(hide_password=True)
    except sa.exc.ArgumentError as error:
        advice = "give an SQLAlchemy URL, for example sqlite:////var/lib/amaro/catalog.sqlite"
        raise StartError(f"{option}: {advice}.") from error
    try:
        if url.get_backend_name() == "sqlite":
            Path(url.database or "").parent.mkdir(parents=True, exist_ok=True)
            return
        engine = sa.create_engine(url)
        with engine.connect():
            engine.dispose()
    except (sa.exc.SQLAlchemyError, ImportError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise StartError(f"{option} {shown}: {reason}.") from error


async def serve(settings: OriginSettings, listener: socket.socket) -> None:
    """Serve on the current event loop."""
    with ExitStack() as stack:
        jobs = None
        if settings.jobs_url is not None:
            jobs = stack.enter_context(await asyncio.to_thread(JobQueue, settings.jobs_url))
        async with open_app(settings, jobs) as app:
            gc.collect()
            gc.freeze()  # a pass over all that was imported takes 70 ms, in which no edge is told
            bound = listener.getsockname()
            sys.stdout.write(f"origin listens on http://{bound[0]}:{bound[1]}\n")
            sys.stdout.flush()
            await Server(configure(settings, app), app.drain).serve(sockets=[listener])


class Server(uvicorn.Server):
    """Uvicorn, which first ends uploads in order: they would outlast any patience."""

    def __init__(self, config: uvicorn.Config, drain: Callable[[], None]) -> None:
        super().__init__(config)
        self._drain = drain

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let running requests end, then close what is left."""
        self._drain()
        await super().shutdown(sockets)


def configure(settings: OriginSettings, app: ASGIApp) -> uvicorn.Config:
    """Return how uvicorn is to serve the application."""
    return uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="on",
        # Whoever connects is the client; only a trusted proxy may say that it is another.
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        server_header=False,
        access_log=False,
        log_config=None,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=DRAIN_S,
        limit_concurrency=CONNECTIONS_MAX,
    )


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket; it accepts connections, which wait until the server is up."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)
