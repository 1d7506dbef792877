"""The origin as a process: one uvicorn server on uvloop, until a signal ends it."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import uvicorn
import uvloop

from origin.service import open_app
from segmenter.jobs import JobQueue

if TYPE_CHECKING:
    from origin.settings import OriginSettings

KEEP_ALIVE_S: Final = 75
DRAIN_S: Final = 5  # uploads cut off then lose nothing: their bytes are kept
CONNECTIONS_MAX: Final = 4_096
BACKLOG: Final = 2_048


def run(settings: OriginSettings, *, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT; the address is printed once it accepts connections."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    uvloop.run(serve(settings, host=host, port=port))


async def serve(settings: OriginSettings, *, host: str, port: int) -> None:
    """Serve on the current event loop."""
    with ExitStack() as stack:
        listener = stack.enter_context(bind(host, port))
        jobs = None
        if settings.jobs_url is not None:
            jobs = stack.enter_context(await asyncio.to_thread(JobQueue, settings.jobs_url))
        async with open_app(settings, jobs) as app:
            config = uvicorn.Config(
                app,
                http="httptools",
                ws="none",
                lifespan="on",
                proxy_headers=False,  # whoever connects is the client; nobody may claim another
                server_header=False,
                access_log=False,
                log_config=None,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=DRAIN_S,
                limit_concurrency=CONNECTIONS_MAX,
            )
            bound = listener.getsockname()
            sys.stdout.write(f"origin listens on http://{bound[0]}:{bound[1]}\n")
            sys.stdout.flush()
            await uvicorn.Server(config).serve(sockets=[listener])


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket; it accepts connections, which wait until the server is up."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)
