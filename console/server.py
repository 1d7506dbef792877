"""Runs the console's application until it is told to stop."""

from __future__ import annotations

import socket

import uvicorn

from console.app import create_app
from console.settings import ConsoleSettings

BACKLOG = 512
DRAIN_S = 3


def serve(settings: ConsoleSettings, *, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT; raises OSError, naming the address, when it is taken."""
    app = create_app(settings)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            reason = f"cannot listen on {host}:{port}: {error.strerror}. Choose another --listen"
            raise OSError(reason) from error
        listener.listen(BACKLOG)
        config = uvicorn.Config(
            app,
            lifespan="off",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=DRAIN_S,
        )
        uvicorn.Server(config).run(sockets=[listener])
