"""A connection of an admin listener: nobody who is slow, or many, keeps the operator out."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

CONNECTIONS_MAX: Final = 64
HEAD_MAX_BYTES: Final = 32 * 1024
REQUEST_S: Final = 10.0  # to a whole request, from the connection's beginning or the last answer
ANSWER_S: Final = 60.0  # from there until it is answered


class AdminConnection(HttpToolsProtocol):
    """Ends with its deadline, or to make room for a new one while it waits for a request.

    So those who open many connections push out their own: of the client that has most of them, the
    one that has waited longest goes.
    """

    connections_max = CONNECTIONS_MAX
    request_s = REQUEST_S

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.is_waiting = True  # for a request, or the rest of one
        self.since_mono = 0.0
        self._deadline: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a place, another's if there is none."""
        super().connection_made(transport)
        self._wait()
        if len(self.connections) > self.connections_max:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        """Parse, as long as the head is not too large."""
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_MAX_BYTES:
                self.transport.abort()

    def on_headers_complete(self) -> None:
        """From here on the body is bounded by who reads it."""
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is whole."""
        super().on_message_complete()
        self.is_waiting = False
        self._limit(ANSWER_S)

    def on_response_complete(self) -> None:
        """Wait for the next one."""
        super().on_response_complete()
        self._in_head, self._head_bytes = True, 0
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up the place."""
        if self._deadline is not None:
            self._deadline.cancel()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self.is_waiting, self.since_mono = True, self.loop.time()
        self._limit(self.request_s)

    def _limit(self, limit_s: float) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(limit_s, self.transport.abort)

    def _make_room(self) -> None:
        """End the connection that can be spared most."""
        all_of_them = [each for each in self.connections if isinstance(each, AdminConnection)]
        waiting = [each for each in all_of_them if each.is_waiting]
        held = Counter(each.client and each.client[0] for each in all_of_them)
        last = min(
            waiting, key=lambda each: (-held[each.client and each.client[0]], each.since_mono)
        )
        self.connections.discard(last)
        last.transport.abort()
