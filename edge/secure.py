"""A player's connection over TLS: bodies leave in windows, all else is as without it."""

import asyncio

from edge.protocol import EdgeProtocol
from edge.windows import WindowedTransport


class SecureProtocol(EdgeProtocol):
    """HTTP/1.1 over TLS."""

    _windows: WindowedTransport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._windows = WindowedTransport(transport, super().pause_writing, super().resume_writing)
        super().connection_made(self._windows)
        self._windows.begin()

    def connection_lost(self, exc: Exception | None) -> None:
        self._windows.forget()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        self._windows.fill()

    def resume_writing(self) -> None:
        self._windows.drain()
