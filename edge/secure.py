"""Players' connections over TLS: their handshakes, and the version that they choose in them."""

import asyncio
import ssl
from typing import Any, Final

from uvicorn.config import Config
from uvicorn.server import ServerState

from edge.encrypted import EncryptedTransport
from edge.encryption import Encryption
from edge.hpack import Blocks
from edge.http2 import Http2Protocol
from edge.protocol import EdgeProtocol
from edge.provider_hits import bind_for_all
from edge.shared import Shared
from edge.windows import WindowedTransport

ANSWERS_MAX_BYTES: Final = 16_384  # to a player that asks for new keys, and reads none of it


class Handshakes:
    """Those in progress, of all connections of a listener; the oldest one ends for one too many.

    Those who are slow, or say nothing, are the first to go; others are done before their turn.
    """

    def __init__(self, shared: Shared, context: ssl.SSLContext) -> None:
        self.context = context
        self.outgoing = ssl.MemoryBIO()
        self._shared = shared
        self._running: dict[SecureConnection, asyncio.TimerHandle] = {}

    def __len__(self) -> int:
        return len(self._running)

    def begin(self, connection: "SecureConnection", loop: asyncio.AbstractEventLoop) -> None:
        """Give it its time."""
        if len(self._running) >= self._shared.limits.handshakes_max:
            self.refuse(next(iter(self._running)), "tls-handshakes-max")
        limit_s = self._shared.limits.handshake_s
        late = loop.call_later(limit_s, self.refuse, connection, "tls-handshake-slow")
        self._running[connection] = late

    def refuse(self, connection: "SecureConnection", reason: str) -> None:
        """End a connection in its handshake."""
        self.end(connection)
        self._shared.counters.refuse(reason)
        connection.tcp.abort()

    def fail(self, connection: "SecureConnection") -> None:
        """End a connection whose handshake came to nothing; an alert says why."""
        self.end(connection)
        self._shared.counters.refuse("tls-handshake")
        connection.tcp.close()

    def end(self, connection: "SecureConnection") -> None:
        """It is over, one way or the other."""
        late = self._running.pop(connection, None)
        if late is not None:
            late.cancel()


class SecureConnection(asyncio.Protocol):
    """What TCP talks to; `http1`, `http2` and `handshakes` come with the class."""

    http1: type[EdgeProtocol]
    http2: type[Http2Protocol]
    handshakes: Handshakes

    tcp: asyncio.Transport

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._given = (config, server_state, app_state, _loop)
        self._loop = _loop or asyncio.get_running_loop()
        self._protocol: EdgeProtocol | Http2Protocol | None = None
        self._windows: WindowedTransport | None = None  # of HTTP/1.1
        self._transport: EncryptedTransport
        self._is_full = False  # the kernel takes no more
        self._unread_bytes = 0  # of answers to TLS itself, since then

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the player to begin its handshake."""
        self.tcp = transport
        transport.set_write_buffer_limits(high=0)
        handshakes = self.handshakes
        self._encryption = Encryption(handshakes.context, handshakes.outgoing)
        handshakes.begin(self, self._loop)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who serves it, and keep nothing: no pass of the collector would find it."""
        protocol, self._protocol = self._protocol, None
        self.handshakes.end(self)
        if self._windows is not None:
            self._windows.forget()
        if protocol is not None:
            self._transport.lost()
            protocol.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take a part of the handshake, or what the player says."""
        protocol = self._protocol
        if protocol is None:
            self._shake(data)
            return
        if self._transport.is_closing():
            return
        encryption = self._encryption
        plain, answer = encryption.opened(data)
        if answer:  # to an update of keys, or an alert
            self.tcp.write(answer)
            self._unread_bytes = self._unread_bytes + len(answer) if self._is_full else 0
            if self._unread_bytes > ANSWERS_MAX_BYTES:
                self.tcp.abort()
                return
        if plain:
            protocol.data_received(plain)
        if encryption.is_broken:
            self.tcp.close()
        elif encryption.is_ended:
            self._transport.close()

    def eof_received(self) -> None:
        """Nothing more comes: the connection closes."""

    def pause_writing(self) -> None:
        """The kernel takes no more."""
        self._is_full = True
        if self._windows is not None:
            self._windows.fill()
        elif self._protocol is not None:
            self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """It does again."""
        self._is_full = False
        if self._windows is not None:
            self._windows.drain()
        elif self._protocol is not None:
            self._protocol.resume_writing()

    def _shake(self, data: bytes) -> None:
        if self.tcp.is_closing():
            return
        encryption = self._encryption
        answer = encryption.shake(data)
        if answer:
            self.tcp.write(answer)
        if encryption.is_broken:
            self.handshakes.fail(self)
        elif encryption.is_ready:
            self.handshakes.end(self)
            self._begin()

    def _begin(self) -> None:
        """Let the version serve that the player chose, from what it may have said already."""
        encryption = self._encryption
        transport = self._transport = EncryptedTransport(self.tcp, encryption, self._loop)
        if encryption.tls.selected_alpn_protocol() == "h2":
            http2 = self._protocol = self.http2(*self._given)
            http2.connection_made(transport)
            if self._is_full:
                http2.pause_writing()
        else:
            http1 = self._protocol = self.http1(*self._given)
            windows = WindowedTransport(transport, http1.pause_writing, http1.resume_writing)
            self._windows = windows
            http1.connection_made(windows)
            if self._is_full:
                windows.fill()
        self.data_received(b"")


def bind_secure(shared: Shared, context: ssl.SSLContext) -> type[SecureConnection]:
    """The protocol class for uvicorn's `http=`, with what connections share."""
    http2 = type("BoundHttp2Protocol", (Http2Protocol,), {"shared": shared, "blocks": Blocks()})
    given = {
        "http1": bind_for_all(shared),
        "http2": http2,
        "handshakes": Handshakes(shared, context),
    }
    return type("BoundSecureConnection", (SecureConnection,), given)
