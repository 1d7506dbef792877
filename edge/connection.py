"""A player's connection as such: opened, drained, refused, timed and closed."""

import asyncio
from abc import abstractmethod
from time import monotonic
from typing import Any, Final

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from edge.direct import BorrowedSocket
from edge.pace import Pace
from edge.realtime.passage import give_over, is_for_hub
from edge.refusals import RefusedHeadError
from edge.shared import Shared

FIRST_REQUEST_S: Final = 1.0  # at the end of a drain, for connections that have asked nothing yet
LINGER_S: Final = 2.0  # after an early answer: a reset would overtake it if nobody read on
LINGER_BYTES_MAX: Final = 4 << 20


class Connection(HttpToolsProtocol):
    """What does not depend on what is asked. `shared` comes with the class: see `bind`."""

    shared: Shared

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.parser = None  # type: ignore[assignment]
        self._scheme = b"http"
        self._busy = False  # a response is on its way, or writes are paused: nothing is read
        self._unread = b""  # bytes of later requests, or of a head that is not complete
        self._discard_bytes = 0  # still to be read of what nobody answers any more
        self._ending = False
        self._quiet_since = 0.0
        self._opened_at = 0.0  # equal to the above until a request was answered
        self._head_timer: asyncio.TimerHandle | None = None
        self._pace = Pace()
        self._stall = Pace()
        self._client: str | None = None  # whom this connection counts for
        self._socket: BorrowedSocket | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._scheme = b"https" if self.scheme == "https" else b"http"
        self._quiet_since = self._opened_at = monotonic()
        self._arm(self.shared.limits.keep_alive_s)
        if len(self.connections) > self.shared.limits.connections_max:
            self._refuse(RefusedHeadError("connections-max"))
            return
        try:
            self._client = self.shared.clients.enter(self.address)
        except OverflowError:
            self._refuse(RefusedHeadError("client-connections-max"))
            return
        if self.shared.gates is not None:
            self.take_gate()

    def connection_lost(self, exc: Exception | None) -> None:
        self.connections.discard(self)
        self._unset_keepalive_if_required()
        self._disarm_head()
        if self._socket is not None:
            self._socket.detach()
        self.shared.clients.leave(self._client)
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            cycle.disconnect()  # type: ignore[attr-defined]
        self.cycle = None  # type: ignore[assignment]
        self.flow.resume_writing()
        self._busy = True
        self._unread = b""
        if exc is None:
            self.transport.close()

    @property
    def address(self) -> bytes:
        """The player's."""
        return self.client[0].encode() if self.client else b"unknown"

    def socket(self) -> BorrowedSocket:
        """That of the transport, to be used while nothing waits in it."""
        if self._socket is None:
            number = self.transport.get_extra_info("socket").fileno()
            self._socket = BorrowedSocket(fileno=number)
        return self._socket

    @property
    def is_ending(self) -> bool:
        """Whether this answer is the connection's last."""
        return self._ending or self.shared.is_draining

    @abstractmethod
    def drain(self) -> None:
        """The next answer is the last one here, and the app gives it."""

    @abstractmethod
    def take_gate(self) -> None:
        """Ask at the gate of the limits in force from now on."""

    @abstractmethod
    def _advance(self, data: bytes) -> None:
        """Go through bytes one message at a time, as far as responses allow."""

    def shutdown(self) -> None:
        """Drain: answer what has been asked, or is about to be for the first time, then close."""
        self._ending = True
        self.shared.drain()
        self.drain()
        if self._responding():
            self.cycle.keep_alive = False
        elif self._quiet_since == self._opened_at:
            self.loop.call_later(FIRST_REQUEST_S, self._close_if_quiet)
        elif not self._unread and not self._discard_bytes:
            self.transport.close()

    def _close_if_quiet(self) -> None:
        if not self._busy and not self._unread:
            self.transport.close()

    def _gave_over(self, target: bytes, head: bytes) -> bool:
        """Give the connection to the realtime hub, if that is what it is for."""
        passage = self.shared.passage
        if passage is None or not is_for_hub(target):
            return False
        if give_over(passage, self.socket().fileno(), head):
            self._busy = True
            self.transport.abort()  # ends our hold of it only
        else:
            self._refuse(RefusedHeadError("connections-max"))
        return True

    def pause_writing(self) -> None:
        super().pause_writing()
        self._busy = True

    def resume_writing(self) -> None:
        super().resume_writing()
        self._busy = self._responding() or self._discard_bytes != 0
        self._quiet_since = monotonic()
        if self._responding():
            self.cycle.writable()  # type: ignore[attr-defined]
        if not self._busy:
            self._resume()

    def reads_slower_than(self, bps: float, patience_s: float, now_mono: float) -> bool:
        """Whether a player that holds memory has taken less than `bps` for `patience_s` seconds."""
        return self._pace.is_below(bps, patience_s, transport=self.transport, now_mono=now_mono)

    # answers

    def _responding(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        self.cycle = None  # type: ignore[assignment]
        if self.transport.is_closing() or self._discard_bytes:
            return
        self._quiet_since = monotonic()
        self._busy = self.flow.write_paused
        if not self._busy:
            # not from within the response's own task: a deep pipeline would recurse
            self.loop.call_soon(self._resume)

    def _resume(self) -> None:
        """Go on with what was read while a response was on its way."""
        if self._busy or self.transport.is_closing():
            return
        data, self._unread = self._unread, b""
        if data:
            self._advance(data)
        if not self._busy:
            self.flow.resume_reading()
            if self._ending and not self._unread:
                self.transport.close()

    # refusals and time

    def _takes_nothing(self) -> bool:
        """Whether a player has taken nothing of what waits for it for too long."""
        patience_s = self.shared.limits.reader_idle_s
        return self._stall.is_below(1.0, patience_s, transport=self.transport, now_mono=monotonic())

    def _refuse(self, refusal: RefusedHeadError) -> None:
        self.shared.accounts.refused(self.address, refusal.reason, refusal.status)
        self.transport.write(refusal.answer())
        self.linger()

    def linger(self) -> None:
        """Say nothing more, but read on for a while: what comes is thrown away."""
        self._busy = True
        self._unread = b""
        self._discard_bytes = LINGER_BYTES_MAX
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_S, self.transport.close)

    def _discard(self, data: bytes) -> None:
        self._discard_bytes -= len(data)
        if self._discard_bytes <= 0:
            self.transport.close()

    def _server_name(self) -> bytes:
        if self.server is None:
            return b"localhost"
        host, port = self.server
        return f"{host}:{port}".encode() if port else b"localhost"

    def _head_late(self) -> None:
        self._head_timer = None
        if not self._busy and not self.transport.is_closing():
            self._refuse(RefusedHeadError("head-too-slow"))

    def _disarm_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _arm(self, after_s: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(
            after_s, self.timeout_keep_alive_handler
        )

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that has been quiet for too long; one timer serves many requests."""
        is_closing = self.transport.is_closing()
        if is_closing and not self.transport.get_write_buffer_size():
            return
        limit_s = self.shared.limits.keep_alive_s
        quiet_s = monotonic() - self._quiet_since
        if self._busy or self._unread or is_closing:  # the last of an answer may wait for ever
            if self._takes_nothing():
                self.shared.counters.readers_cut += 1
                self.transport.abort()
                return
            self._arm(limit_s)
        elif quiet_s >= limit_s:
            self.transport.close()
        else:
            self._arm(limit_s - quiet_s)
