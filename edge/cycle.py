"""One request on the slow path: an ASGI scope's receive and send over a player's connection."""

import asyncio
import logging
import socket
import struct
from collections.abc import Awaitable, Callable, MutableMapping
from time import monotonic_ns
from typing import Any, Final, TypeAlias

from cache_policies.message import Fields
from edge.collapse import FillReader
from edge.delivery import BODILESS
from edge.entry import STATUS_LINES, early_head, field_block
from edge.gates import Refusal
from edge.player import Player, Sink
from edge.ticket import Ticket

Message: TypeAlias = MutableMapping[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
App: TypeAlias = Callable[
    [Scope, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]

BODY_HELD_BYTES_MAX: Final = 65_536  # of a request's body, before reading pauses

log = logging.getLogger("edge.cycle")


def reset_at_close(transport: Sink) -> None:
    """Have the connection end with a reset. Over TLS the missing close_notify tells already."""
    connection = transport.get_extra_info("socket")
    if connection is not None and connection.family != socket.AF_UNIX:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Cycle:
    """Sends one response, framed as the player's version of HTTP allows."""

    def __init__(
        self, player: Player, *, method: bytes, http_10: bool, keep_alive: bool, expects: bool
    ) -> None:
        self._player = player
        self._head_only = method == b"HEAD"
        self._http_10 = http_10
        self.keep_alive = keep_alive
        self._expects_continue = expects
        self.disconnected = False
        self.response_started = False
        self.response_complete = False
        self._chunked = False
        self._left: int | None = None  # bytes still announced
        self.body = bytearray()
        self.more_body = True
        self.message_event = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self.admitted: Ticket | Refusal | None = None  # what limits have the request hold, or told

    def start(
        self, app: App, scope: Scope, tasks: set[asyncio.Task[None]], reader: FillReader | None
    ) -> None:
        """Run in a task of its own, one of `tasks`; `reader` is closed with it."""
        task = asyncio.get_running_loop().create_task(self.run(app, scope))
        self.task = task
        tasks.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            tasks.discard(task)
            if isinstance(self.admitted, Ticket):
                self.admitted.leave(monotonic_ns())
            if reader is not None:  # the task may have ended before it began
                reader.close()
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("a request broke the app", exc_info=error)

        task.add_done_callback(ended)

    async def run(self, app: App, scope: Scope) -> None:
        """Let the app answer; a defect in it, or an unfinished answer, cuts the connection."""
        try:
            await app(scope, self.receive, self.send)
        finally:
            self.task = None  # a cycle of references would keep what its frames hold
            if not self.response_complete and not self.disconnected:
                self.cut()

    def early(self, fields: Fields) -> None:
        """Send early hints, unless the response has begun; HTTP/1.0 has none."""
        transport = self._player.transport
        if not (self._http_10 or self.response_started or transport.is_closing()):
            transport.write(early_head(fields))

    def alive(self) -> None:
        """Say that an answer will come (RFC 2518 §10.1); who waits for it may wait on."""
        transport = self._player.transport
        if not (self._http_10 or self.response_started or transport.is_closing()):
            transport.write(b"HTTP/1.1 102 Processing\r\n\r\n")

    def cut(self) -> None:
        """End the connection so that no player takes what it got for the whole."""
        transport = self._player.transport
        if self.response_started and self._left is None and not self._chunked:
            reset_at_close(transport)  # a clean end would be the body's
        transport.abort()

    # the request's body, from the protocol

    def feed(self, data: bytes) -> None:
        """Take bytes of the body; pauses reading when the app does not keep up."""
        if self.response_complete:
            return
        self.body += data
        if len(self.body) > BODY_HELD_BYTES_MAX:
            self._player.flow.pause_reading()
        self.message_event.set()

    def end_of_body(self) -> None:
        """The request is complete."""
        self.more_body = False
        self.message_event.set()

    def writable(self) -> None:
        """The player reads again: `flow` has woken whoever waits for that."""

    def disconnect(self) -> None:
        """The player is gone: whoever works for it stops."""
        self.disconnected = True
        self.message_event.set()
        if self.task is not None:
            self.task.cancel()

    # ASGI

    async def receive(self) -> Message:
        """The next part of the request's body, or the player's departure."""
        transport = self._player.transport
        if self._expects_continue and not self.response_started and not transport.is_closing():
            transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._expects_continue = False
        while not (self.body or not self.more_body or self.disconnected or self.response_complete):
            self._player.flow.resume_reading()
            self.message_event.clear()
            await self.message_event.wait()
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        data, self.body = bytes(self.body), bytearray()
        return {"type": "http.request", "body": data, "more_body": self.more_body}

    async def send(self, message: Message) -> None:
        """Send a part of the response, waiting while the player does not read."""
        if self._player.flow.write_paused and not self.disconnected:
            await self._player.flow.drain()
        if self.disconnected:
            return
        if not self.response_started:
            self.response_started = True
            self._send_head(message["status"], message["headers"])
        else:
            self._send_body(message.get("body", b""), more=message.get("more_body", False))

    def _send_head(self, status: int, fields: list[tuple[bytes, bytes]]) -> None:
        lengths = [int(value) for name, value in fields if name == b"content-length"]
        bodiless = self._head_only or status in BODILESS
        self._left = 0 if bodiless else lengths[0] if lengths else None
        framing = b""
        if self._left is None and self._player.chunks and not self._http_10:
            self._chunked = True
            framing = b"transfer-encoding: chunked\r\n"
        if self.more_body or (self._left is None and self._http_10):
            self.keep_alive = False  # the end of one message or the other would be unclear
        if not self.keep_alive:
            framing += b"connection: close\r\n"
        elif self._http_10:
            framing += b"connection: keep-alive\r\n"
        head = STATUS_LINES[status] + field_block(tuple(fields)) + framing + b"\r\n"
        self._player.transport.write(head)

    def _send_body(self, data: bytes | memoryview, *, more: bool) -> None:
        transport = self._player.transport
        if self._chunked:
            if data:
                transport.writelines([b"%x\r\n" % len(data), data, b"\r\n"])
            if not more:
                transport.write(b"0\r\n\r\n")
        elif data and (self._left is None or len(data) <= self._left):
            transport.write(data)
            self._left = None if self._left is None else self._left - len(data)
        elif data and not self._head_only:
            raise RuntimeError("more bytes than announced")
        if not more:
            self._complete()

    def _complete(self) -> None:
        if self._left:
            raise RuntimeError("fewer bytes than announced")
        self.response_complete = True
        self.message_event.set()
        if self.more_body:  # it is being sent still: whoever sends must see this answer
            self._player.linger()
        elif not self.keep_alive:
            self._player.transport.close()
        self._player.on_response_complete()
