"""A running console for browser tests."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import uvicorn

from console.app import create_app
from console.settings import console_settings, with_providers
from tests.support.stack import until


@contextmanager
def console(
    edges: dict[str, str],
    origin: str,
    admins: dict[str, str] | None = None,
    *,
    members: dict[str, str] | None = None,
    realtime: bool = False,
    signed: bool = False,
    providers: Sequence[str] = (),
) -> Iterator[str]:
    """Serve the pages on a free port while the block runs; gives the base URL."""
    named, listeners = (
        [f"{name}={url}" for name, url in each.items()] for each in (edges, admins or {})
    )
    settings = console_settings(
        *(named, origin, listeners),
        members=[f"{name}={url}" for name, url in (members or {}).items()],
        realtime=realtime,
        signed=signed,
    )
    settings = with_providers(settings, providers)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(create_app(settings), lifespan="off", log_level="warning")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            until(lambda: server.started, max_s=180, what="the console started")
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
