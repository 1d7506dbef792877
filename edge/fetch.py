"""The fill client: HTTP/1.1 to an origin or a peer, pooled, streaming, byte for byte."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Set
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

from cache_policies.message import Fields
from edge.errors import EdgeError, StaleConnectionError, UpstreamError, UpstreamTimeoutError
from edge.patience import Patience
from edge.places import Place
from edge.reading import Account, ReadingPlace
from edge.responses import ResponseReader
from edge.routes import Upstream
from edge.settings import Limits

WINDOW_BYTES: Final = 262_144  # read ahead of the consumer before reading pauses
IDEMPOTENT: Final = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"})


@dataclass(frozen=True, slots=True)
class Fetch:
    """One request as it goes on the wire; `fields` hold everything but the body's framing."""

    method: bytes
    target: bytes
    fields: Fields
    body: AsyncIterator[bytes] | None = None
    body_length: int | None = None  # None with a body: chunked
    early: Callable[[Fields], None] | None = None  # told of early hints (RFC 8297)
    place: Place | None = None  # at the origin, left when the exchange is over

    def head(self) -> bytes:
        lines = [self.method + b" " + self.target + b" HTTP/1.1"]
        lines += [name + b": " + value for name, value in self.fields]
        if self.body is not None and self.body_length is not None:
            lines.append(b"content-length: %d" % self.body_length)
        elif self.body is not None:
            lines.append(b"transfer-encoding: chunked")
        return b"\r\n".join(lines) + b"\r\n\r\n"


class Response(Protocol):
    """A response whose head has arrived and whose body is being read."""

    status: int
    fields: Fields
    length: int | None  # of the body, when the head tells

    async def read(self) -> bytes:
        """The next piece, b"" at the true end; raises UpstreamError when it was cut off."""

    def close(self) -> None:
        """Give the connection back, or drop it if the body was not read to its end."""


class FillClient:
    """Fetches from upstreams over pooled connections; one per worker, used from its loop only."""

    def __init__(self, limits: Limits, account: Account, tls: ssl.SSLContext | None = None) -> None:
        self.account = account
        self.reading = ReadingPlace(account)
        self._limits = limits
        self._tls = tls
        self._idle: dict[Upstream, list[Connection]] = {}
        self._open: set[Connection] = set()
        self.left: Set[Upstream] = frozenset()  # to which no connections are kept

    async def fetch(self, upstream: Upstream, fetch: Fetch) -> Response:
        """The response to `fetch` once its head is here. Raises UpstreamError."""
        reusable = fetch.method in IDEMPOTENT and fetch.body is None
        pooled = self._take(upstream) if reusable else None
        if pooled is not None:
            try:
                return await pooled.exchange(fetch)
            except StaleConnectionError:
                pass  # it died before the first byte of an answer: once more, on a new one
        connection = await self._connect(upstream)
        return await connection.exchange(fetch)

    def close(self) -> None:
        """Drop every connection."""
        for connection in list(self._open):
            connection.abort()
        self._idle.clear()

    def give_back(self, connection: "Connection") -> None:
        """Keep a connection whose exchange has ended cleanly for the next fetch."""
        most = 0 if connection.upstream in self.left else self._limits.upstream_connections_max
        idle = self._idle.setdefault(connection.upstream, [])
        if len(idle) >= most:
            connection.abort()
            return
        idle.append(connection)
        connection.idle_from(self._limits.upstream_idle_s)

    def forget(self, connection: "Connection") -> None:
        """A connection is gone; called once for each."""
        self._open.discard(connection)
        idle = self._idle.get(connection.upstream)
        if idle is not None and connection in idle:
            idle.remove(connection)

    def drop_idle(self, upstream: Upstream) -> None:
        """Close the connections that wait for another fetch."""
        for connection in self._idle.pop(upstream, []):
            connection.abort()

    def _take(self, upstream: Upstream) -> "Connection | None":
        idle = self._idle.get(upstream)
        while idle:
            connection = idle.pop()
            if connection.usable():
                return connection
        return None

    async def _connect(self, upstream: Upstream) -> "Connection":
        loop = asyncio.get_running_loop()

        def make() -> Connection:
            return Connection(self, upstream, self._limits)

        try:
            async with asyncio.timeout(self._limits.connect_s):
                if upstream.path is not None:
                    _, connection = await loop.create_unix_connection(make, upstream.path)
                elif upstream.tls:
                    if self._tls is None:  # reading the trusted roots takes 20 ms, so once
                        self._tls = ssl.create_default_context()
                    _, connection = await loop.create_connection(
                        make, upstream.host, upstream.port, ssl=self._tls
                    )
                else:
                    _, connection = await loop.create_connection(make, upstream.host, upstream.port)
        except TimeoutError:
            raise UpstreamTimeoutError("connect-timeout", f"{upstream.url}: silent") from None
        except (OSError, UnicodeError) as error:  # the latter of a name that can be none
            raise UpstreamError("connect-refused", f"{upstream.url}: {error}") from error
        self._open.add(connection)
        return connection


class Reply:
    """The response of one exchange. Once that is over, its connection may be another's already."""

    __slots__ = ("_connection", "_number", "fields", "length", "status")

    def __init__(self, connection: "Connection") -> None:
        head = connection.reader
        self.status, self.fields, self.length = head.status, head.fields, head.length
        self._connection = connection
        self._number = connection.served

    def read(self) -> Coroutine[None, None, bytes]:
        """The next piece of the body, b"" at its true end; raises UpstreamError when cut off."""
        return self._connection.read()

    def close(self) -> None:
        """End the exchange, if it has not ended by itself."""
        if self._connection.served == self._number:
            self._connection.close()


class Connection(asyncio.BufferedProtocol):
    """One connection to an upstream: one exchange at a time, reading no further than its window."""

    def __init__(self, client: FillClient, upstream: Upstream, limits: Limits) -> None:
        self.upstream = upstream
        self._client = client
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self.reader = ResponseReader(b"GET", limits.upstream_head_max_bytes)
        self._active = False
        self.served = 0  # exchanges that ended cleanly
        self._until = 0.0  # of the loop's clock: when the exchange must have ended
        self._lost = False
        self._reading_paused = False
        self._ahead_bytes = 0  # as it was last counted
        self._writable: asyncio.Future[None] | None = None
        self._patience = Patience()
        self._idle_timer: asyncio.TimerHandle | None = None
        self._sender: asyncio.Task[None] | None = None
        self._place: Place | None = None

    # The exchange, as its one user sees it.

    async def exchange(self, fetch: Fetch) -> Response:
        """Send `fetch` and wait for the head of its response."""
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None
        self._active = True
        self._place = fetch.place
        self.reader = ResponseReader(
            fetch.method, self._limits.upstream_head_max_bytes, fetch.early
        )
        try:
            self._until = self._loop.time() + self._limits.total_s
            self._transport.write(fetch.head())
            if fetch.body is not None:
                self._sender = self._loop.create_task(self._send_body(fetch))
                self._sender.add_done_callback(
                    lambda _: self._patience.tell()
                )  # it may have failed
            await self._await_head()
        except BaseException:
            self.abort()
            raise
        return Reply(self)

    async def _await_head(self) -> None:
        limit_s = self._limits.first_byte_s
        try:
            while not self.reader.has_head:
                await self._progress(None if self._sender is not None else limit_s)
                if self._sender is not None and self._sender.done():
                    self._sender_result()
        except TimeoutError:
            raise UpstreamTimeoutError(
                "first-byte-timeout", f"{self.upstream.url}: no response in {limit_s} s"
            ) from None

    async def read(self) -> bytes:
        """The next piece of the body, b"" at its true end; raises UpstreamError when cut off."""
        reader = self.reader
        while True:
            if reader.pieces:
                piece = reader.take()
                self._count(reader.held_bytes)
                if self._reading_paused and reader.held_bytes <= WINDOW_BYTES // 2:
                    self._reading_paused = False
                    self._transport.resume_reading()
                return piece
            if reader.complete:
                self.close()
                return b""
            left_s = self._until - self._loop.time()
            try:
                await self._progress(min(self._limits.idle_s, left_s))
            except TimeoutError:
                self.abort()
                limit = "idle-timeout" if left_s > self._limits.idle_s else "total-timeout"
                raise UpstreamTimeoutError(limit, f"{self.upstream.url}: body stalled") from None
            except UpstreamError:
                self.abort()
                raise

    def close(self) -> None:
        """End the exchange: back to the pool after a complete response, else cut."""
        if not self._active:
            return
        reader = self.reader
        sending = self._sender is not None and not self._sender.done()
        if reader.complete and reader.keep_alive and not sending and not self._lost:
            self._active = False
            self._sender = None
            self.served += 1
            self._drop()
            if self._reading_paused:
                self._reading_paused = False
                self._transport.resume_reading()
            self._client.give_back(self)
        else:
            self.abort()

    def abort(self) -> None:
        """Cut the connection now."""
        self._active = False
        self._drop()
        if self._sender is not None:
            self._sender.cancel()
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        self._patience.close()
        self._transport.abort()

    def usable(self) -> bool:
        """Whether an idle connection may carry another exchange."""
        return not self._lost and not self._transport.is_closing()

    def idle_from(self, limit_s: float) -> None:
        """Close this idle connection after `limit_s` seconds without use."""
        self._idle_timer = self._loop.call_later(limit_s, self.abort)

    async def _progress(self, limit_s: float | None) -> None:
        """Wait for news; raises TimeoutError, or UpstreamError once the connection died."""
        if self.reader.error is not None:
            raise self.reader.error.again()
        if self._lost:
            raise self._cut_off()
        await self._patience.wait(limit_s)

    def _cut_off(self) -> UpstreamError:
        if self.served and not self.reader.has_bytes:
            return StaleConnectionError("connection-lost", "a pooled connection was closed")
        if not self.reader.has_head:
            return UpstreamError(
                "connection-lost", f"{self.upstream.url}: closed without an answer"
            )
        return UpstreamError("truncated", f"{self.upstream.url}: the body was cut off")

    # The request body.

    async def _send_body(self, fetch: Fetch) -> None:
        assert fetch.body is not None
        left = fetch.body_length
        async for piece in fetch.body:
            if not piece:
                continue
            if left is None:
                self._transport.writelines([b"%x\r\n" % len(piece), piece, b"\r\n"])
            else:
                left -= len(piece)
                self._transport.write(piece)
            while self._writable is not None:
                await asyncio.wait_for(asyncio.shield(self._writable), self._limits.idle_s)
        if left is None:
            self._transport.write(b"0\r\n\r\n")
        self._loop.call_later(self._limits.first_byte_s, self._body_unanswered, self.reader)
        self._patience.tell()

    def _body_unanswered(self, reader: ResponseReader) -> None:
        if self._active and self.reader is reader and not reader.has_head:
            reader.error = UpstreamTimeoutError(
                "first-byte-timeout", f"{self.upstream.url}: silent"
            )
            self._patience.tell()

    def _sender_result(self) -> None:
        sender = self._sender
        if sender is None or sender.cancelled() or self.reader.has_head:
            return
        error = sender.exception()
        if isinstance(error, EdgeError):
            raise error.again()
        if isinstance(error, TimeoutError):
            raise UpstreamTimeoutError("idle-timeout", f"{self.upstream.url}: takes no body")
        if error is not None:
            raise error

    # asyncio.BufferedProtocol

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint
        return self._client.reading.room()

    def buffer_updated(self, nbytes: int) -> None:
        if not self._active:  # an answer nobody asked for
            self.abort()
            return
        reader = self.reader
        reader.feed(self._client.reading.buffer[:nbytes])
        self._count(reader.held_bytes)
        window_bytes = 0 if self._client.account.shortage() else WINDOW_BYTES
        if reader.held_bytes > window_bytes and not self._reading_paused:
            self._reading_paused = True
            self._transport.pause_reading()
        self._patience.tell()

    def _drop(self) -> None:
        if self._place is not None and self.reader.has_head:  # else `fetch` may try again with it
            self._place.leave()
            self._place = None
        self.reader.drop()
        self._count(0)

    def _count(self, held_bytes: int) -> None:
        self._client.account.ahead(held_bytes - self._ahead_bytes)
        self._ahead_bytes = held_bytes

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self.reader.end_of_stream(clean=exc is None)
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        if self._sender is not None:
            self._sender.cancel()
        self.resume_writing()
        self._client.forget(self)
        self._patience.tell()

    def pause_writing(self) -> None:
        if self._writable is None:
            self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._writable is not None:
            with suppress(asyncio.InvalidStateError):
                self._writable.set_result(None)
            self._writable = None
