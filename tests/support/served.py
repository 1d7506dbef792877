"""An ASGI application behind a real socket, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from tests.support.edge_node import eventually


@contextmanager
def served(app: Any, interface: str = "asgi3") -> Iterator[str]:
    """Serve an application; gives its base URL."""
    config = uvicorn.Config(app, port=0, lifespan="off", log_level="warning", interface=interface)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        eventually(lambda: server.started, "the server's start")
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
