"""Two ends of a connection without a socket: what one protocol writes the other is given, later."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from tests.support.simulated_player import Socket

HIGH_BYTES = 131_072
LATENCY_S = 0.0003


class PeerSocket(Socket):
    """What an edge asks the socket of another worker for."""

    family = socket.AF_UNIX

    def __init__(self) -> None:
        super().__init__("")

    def getpeername(self) -> str:  # type: ignore[override]
        return ""

    def getsockname(self) -> str:  # type: ignore[override]
        return ""


class End(asyncio.Transport):
    """One end: `protocol` writes here, and the other end's protocol gets it."""

    def __init__(self) -> None:
        super().__init__({"socket": PeerSocket()})
        self.protocol: Any = None
        self.other: End
        self._loop = asyncio.get_running_loop()
        self._out: list[bytes] = []
        self._moving = False
        self._paused = False
        self._reading = True
        self._closing = False
        self._ended = False

    # as a transport

    def write(self, data: Any) -> None:
        if not self._closing and len(data):
            self._out.append(bytes(data))
            if not self._paused and self.get_write_buffer_size() > HIGH_BYTES:
                self._paused = True
                self.protocol.pause_writing()
            self._move_soon()

    def writelines(self, pieces: Any) -> None:
        for piece in pieces:
            self.write(piece)

    def get_write_buffer_size(self) -> int:
        return sum(map(len, self._out))

    def is_closing(self) -> bool:
        return self._closing

    def can_write_eof(self) -> bool:
        return False

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True
        self.other._move_soon()

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._move_soon()

    def abort(self) -> None:
        self._closing = True
        self._out.clear()
        self._end(None)
        self.other._broken()

    # in between

    def _move_soon(self) -> None:
        if not self._moving:
            self._moving = True
            self._loop.call_later(LATENCY_S, self._move)

    def _move(self) -> None:
        self._moving = False
        other = self.other
        while self._out and other._reading and not other._ended:
            other._give(self._out)
        if self._paused and not self._out:
            self._paused = False
            self.protocol.resume_writing()
        if self._closing and (not self._out or other._ended):
            self._end(None)
            other._hung_up()

    def _give(self, pieces: list[bytes]) -> None:
        """Have our protocol take the first of these, or a part of it."""
        data = pieces.pop(0)
        if not isinstance(self.protocol, asyncio.BufferedProtocol):
            self.protocol.data_received(data)
            return
        buffer = self.protocol.get_buffer(len(data))
        size = min(len(buffer), len(data))
        buffer[:size] = data[:size]
        if size < len(data):
            pieces.insert(0, data[size:])
        self.protocol.buffer_updated(size)

    def _hung_up(self) -> None:
        """The other end was closed after its last byte had come."""
        if not self._ended and not self._closing:
            self.protocol.eof_received()
            self.close()

    def _broken(self) -> None:
        """The other end was cut."""
        self._closing = True
        self._out.clear()
        self._end(ConnectionResetError())

    def _end(self, error: Exception | None) -> None:
        if not self._ended:
            self._ended = True
            self._loop.call_soon(self.protocol.connection_lost, error)


def link(client: Callable[[], Any], server: Callable[[], Any]) -> tuple[End, Any]:
    """Connect two new protocols; return the client's end and its protocol."""
    ends = End(), End()
    for end, other, make in zip(ends, reversed(ends), (client, server), strict=True):
        end.other = other
        end.protocol = make()
    for end in ends:
        end.protocol.connection_made(end)
    return ends[0], ends[0].protocol
