"""The HTTP server of one of a worker's listeners."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from edge.app import EdgeApp
    from edge.worker import Worker


class Server(uvicorn.Server):
    """A uvicorn server whose signals are the worker's business."""

    def __init__(self, worker: Worker, *, peers: bool = False, app: EdgeApp | None = None) -> None:
        limits = worker.settings.limits
        super().__init__(
            uvicorn.Config(
                app or (worker.peer_app if peers else worker.app),
                http=worker.protocol(peers=peers),
                lifespan="off",
                interface="asgi3",
                proxy_headers=False,  # a player may not say who it is
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=False,
                timeout_graceful_shutdown=max(1, int(limits.drain_s)),
                backlog=4096,
            )
        )
        self.serving = asyncio.Event()
        worker.connections.append(self.server_state.connections)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the listeners, then say so."""
        await super().startup(sockets)
        self.serving.set()

    async def run_on(self, sockets: list[socket.socket]) -> None:
        """Serve on these sockets until `should_exit`, then drain."""
        await self._serve(sockets)
