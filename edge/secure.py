"""Players' connections over TLS: the version that they chose, bodies in windows."""

import asyncio
from typing import Any, Final

from uvicorn.config import Config
from uvicorn.server import ServerState

from edge.hpack import Blocks
from edge.http2 import Http2Protocol
from edge.protocol import EdgeProtocol, bind
from edge.shared import Shared
from edge.windows import WindowedTransport

READ_BYTES: Final = 65_536


class SecureConnection(asyncio.BufferedProtocol):
    """What TLS talks to; `http1`, `http2` and `buffer` come with the class.

    Being buffered it reads into one buffer of the worker: a plain protocol would cost an allocation
    of 256 KiB a read, which is 20 us.
    """

    http1: type[EdgeProtocol]
    http2: type[Http2Protocol]
    buffer: memoryview

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._given = (config, server_state, app_state, _loop)
        self._protocol: EdgeProtocol | Http2Protocol
        self._windows: WindowedTransport | None = None  # of HTTP/1.1

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        if transport.get_extra_info("ssl_object").selected_alpn_protocol() == "h2":
            self._protocol = self.http2(*self._given)
            self._protocol.connection_made(transport)
            return
        protocol = self._protocol = self.http1(*self._given)
        windows = WindowedTransport(transport, protocol.pause_writing, protocol.resume_writing)
        self._windows = windows
        protocol.connection_made(windows)
        windows.begin()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._windows is not None:
            self._windows.forget()
        self._protocol.connection_lost(exc)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where to decrypt what came; it is taken out at once."""
        del sizehint
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take what was decrypted."""
        self._protocol.data_received(bytes(self.buffer[:nbytes]))

    def eof_received(self) -> None:
        """Nothing more comes: the transport closes."""

    def pause_writing(self) -> None:
        (self._windows.fill if self._windows is not None else self._protocol.pause_writing)()

    def resume_writing(self) -> None:
        (self._windows.drain if self._windows is not None else self._protocol.resume_writing)()


def bind_secure(shared: Shared) -> type[SecureConnection]:
    """The protocol class for uvicorn's `http=`, with what connections share."""
    http2 = type("BoundHttp2Protocol", (Http2Protocol,), {"shared": shared, "blocks": Blocks()})
    given = {
        "http1": bind(shared),
        "http2": http2,
        "buffer": memoryview(bytearray(READ_BYTES)),
    }
    return type("BoundSecureConnection", (SecureConnection,), given)
