"""A page's connection: its handshake, its frames, and what waits while it reads slowly."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from http import HTTPStatus
from time import monotonic, time
from typing import Any, Final

from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import CLOSING, OPEN
from websockets.server import ServerProtocol

from edge.clients import ClientCounts
from edge.realtime.hub import Hub
from edge.realtime.messages import Close
from edge.realtime.outbox import Outbox, Put
from edge.realtime.visitors import Visitors

UNTAKEN_BYTES_MAX: Final = 16 * 1024  # in the transport; what is more waits as references to frames
SEND_BUFFER_BYTES: Final = 64 * 1024  # in the kernel, which would take megabytes of a slow reader's
HEARD_BYTES: Final = 4 * 1024  # read at once: of the smallest frames they take 4 ms
PARTS_MAX: Final = 64  # of one message; empty ones would count nothing towards its size
FAREWELL_S: Final = 5.0  # for a page to close, too
AGAIN_S: Final = 5  # after which who was turned away may try again
BUSY: Final = b"HTTP/1.1 %d %b\r\nretry-after: %d\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


@dataclass(slots=True, kw_only=True)
class Shared:
    """What all connections have in common."""

    hub: Hub
    visitors: Visitors
    clients: ClientCounts
    fanning: asyncio.Event  # set when there is something to fan out
    open: set[HubConnection] = field(default_factory=set)
    is_draining: bool = False
    bytes_sent: int = 0


class HubConnection(asyncio.Protocol):
    """Fulfils `client.Line`. All its memory is here: 10 000 of them wait most of the time."""

    __slots__ = (
        "_address",
        "_client",
        "_counted",
        "_is_deaf",
        "_outbox",
        "_parts",
        "_shared",
        "_tcp",
        "_ws",
    )

    _tcp: asyncio.Transport

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._ws = ServerProtocol(max_size=shared.hub.limits.message_max_bytes)
        self._client: Any = None
        self._counted: str | None = None  # whom this connection counts for
        self._outbox: Outbox | None = None  # while the page takes nothing more
        self._parts: list[bytes] = []  # of a message in several frames
        self._address = b"unknown"
        self._is_deaf = False  # it has said too much: what still comes is thrown away

    # the transport's side

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the handshake, unless there are too many already."""
        self._tcp = transport
        shared = self._shared
        if len(shared.open) >= shared.hub.limits.connections_max or shared.is_draining:
            self._turn_away(503, "connections-max")
            return
        if transport.get_extra_info("sslcontext") is None:  # over TLS it has windows
            transport.set_write_buffer_limits(high=UNTAKEN_BYTES_MAX)
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            self._address = str(peer[0]).encode()
        try:  # whoever waits to shake hands takes a place, too
            self._counted = shared.clients.enter(self._address)
        except OverflowError:
            self._turn_away(429, "client-connections-max")
            return
        shared.open.add(self)
        self._client = shared.hub.enter(self, monotonic())

    def data_received(self, data: bytes) -> None:
        """Go through what the page says."""
        if self._client is None:
            return
        self._client.unanswered = 0
        for at in range(0, len(data), HEARD_BYTES):
            if self._is_deaf or self._tcp.is_closing():
                return
            self._ws.receive_data(data[at : at + HEARD_BYTES])
            for event in self._ws.events_received():
                if isinstance(event, Request):
                    self._ws.send_response(self._answer(event))
                    self._flush()  # before anything that the hub says
                elif isinstance(event, Frame) and self._ws.state is OPEN:
                    self._take(event)
            self._flush()

    def eof_received(self) -> None:
        """The page says no more, and so do we."""

    def connection_lost(self, _exc: Exception | None) -> None:
        """Forget it."""
        shared = self._shared
        shared.clients.leave(self._counted)
        self._counted = None
        shared.open.discard(self)
        self._ws.parser.close()  # it refers to what it belongs to, and no collector looks for that
        client, self._client = self._client, None
        if client is not None:
            shared.hub.gone(client, monotonic())

    def pause_writing(self) -> None:
        """The page is slower than what it is told: that waits in order, and old news are lost."""
        limits = self._shared.hub.limits
        self._outbox = Outbox(
            fleeting_max=limits.queue_fleeting_max, lasting_max=limits.queue_lasting_max
        )
        self._tcp.pause_reading()  # what it says might want answers

    def resume_writing(self) -> None:
        """It has read what was on its way."""
        outbox, self._outbox = self._outbox, None
        for frame in outbox.take() if outbox else ():
            self._tcp.write(frame)
            if self._is_full():
                self._outbox = outbox
                return
        self._tcp.resume_reading()

    def _is_full(self) -> bool:
        return self._outbox is not None

    # the hub's side

    def send(self, frame: bytes, *, lasting: bool) -> None:
        """Have a frame sent as it is."""
        if self._ws.state is not OPEN or self._client is None:
            return
        self._shared.bytes_sent += len(frame)
        if self._outbox is None:
            self._tcp.write(frame)
            return
        put = self._outbox.put(frame, lasting=lasting)
        if put is Put.LOST_OLDER:
            self._shared.hub.counted["queue-lost"] += 1
        elif put is Put.FULL:
            self._shared.hub.counted["closed too-slow"] += 1
            self.close(Close.TOO_SLOW)

    def ping(self) -> None:
        """Ask whether it is there; one that takes nothing answers nothing."""
        if self._ws.state is OPEN and self._outbox is None:
            self._ws.send_ping(b"")
            self._flush()

    def close(self, why: Close) -> None:
        """Say why, and end the connection; one that takes nothing is just cut."""
        if self._ws.state is CLOSING and self._outbox is None:
            return  # it has been told why, and has a while to read that
        if self._ws.state is not OPEN or self._outbox is not None or why is Close.SILENT:
            self._tcp.abort()
            return
        code, reason = why.value
        self._ws.send_close(code, reason)
        self._flush()
        if why is Close.TOO_MANY:
            self._is_deaf = True
            self._end()
        else:
            self._abort_later()

    def abort(self) -> None:
        """Cut it."""
        self._tcp.abort()

    def _flush(self) -> None:
        for data in self._ws.data_to_send():
            if data:
                self._tcp.write(data)
            else:
                self._end()

    def _end(self) -> None:
        """Say no more, but read on: a reset would overtake what was said."""
        if self._tcp.can_write_eof():
            self._tcp.write_eof()
        else:
            self._tcp.close()
        self._abort_later()

    def _abort_later(self) -> None:
        asyncio.get_running_loop().call_later(FAREWELL_S, self._tcp.abort)

    # handshake and frames

    def _answer(self, request: Request) -> Response:
        shared, visitors = self._shared, self._shared.visitors
        found = visitors.look_at(request, is_ready=not shared.is_draining)
        if found is not None:
            shared.hub.counted[f"handshake {found.status}"] += 1
            return self._rejection(found.status, found.text)
        client, unclear = visitors.client(self._address, request)
        if self._client is not None:
            self._client.address = client
        try:
            if unclear or client != self._address:  # a trusted proxy's, of whom none was counted
                self._counted = shared.clients.enter(client, unclear=unclear)
        except OverflowError:
            shared.hub.counted["handshake 429"] += 1
            return self._rejection(HTTPStatus.TOO_MANY_REQUESTS, "client-connections-max\n")
        answer = self._ws.accept(request)
        shared.hub.counted[f"handshake {answer.status_code}"] += 1
        return answer

    def _rejection(self, status: HTTPStatus, text: str) -> Response:
        rejection = self._ws.reject(status, text)
        if status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
            rejection.headers["Retry-After"] = str(AGAIN_S)
        return rejection

    def _take(self, frame: Frame) -> None:
        """Take a frame; the library has answered pings and a farewell."""
        match frame.opcode:
            case Opcode.TEXT | Opcode.CONT:
                self._parts.append(bytes(frame.data))
                if len(self._parts) > PARTS_MAX:
                    self._ws.fail(1009, "too many fragments")
                elif frame.fin:
                    text = b"".join(self._parts)
                    self._parts.clear()
                    self._say(text)
            case Opcode.PING | Opcode.PONG:
                if self._client is not None:
                    self._shared.hub.hear_ping(self._client, monotonic())
            case Opcode.BINARY:
                self._ws.fail(1003, "text only")

    def _say(self, text: bytes) -> None:
        if self._client is not None:
            self._shared.hub.hear(self._client, text, now_mono=monotonic(), now_wall=time())
            self._shared.fanning.set()

    def _turn_away(self, status: int, reason: str) -> None:
        self._shared.hub.counted[f"refused {reason}"] += 1
        self._tcp.write(BUSY % (status, HTTPStatus(status).phrase.encode(), AGAIN_S))
        self._tcp.close()
