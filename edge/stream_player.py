"""One HTTP/2 stream in the place of a connection, for whoever answers a request in steps."""

import asyncio
from collections.abc import Iterable
from typing import Final, Protocol

from edge.body import Piece
from edge.cycle import Cycle
from edge.following import Follower
from edge.frames import INTERNAL_ERROR
from edge.outlet import Outgoing

AHEAD_BYTES_MAX: Final = 65_536  # of a stream, before whoever answers it waits
AHEAD_BYTES_LOW: Final = 16_384
_INTERIM: Final = b"1"  # first digit of a status that another one follows (RFC 9110 §15.2)
SHARED_BYTES_MAX: Final = 524_288  # of all of them: then each has one piece at most


class Connection(Protocol):
    """What a stream needs of the connection that carries it."""

    @property
    def address(self) -> bytes:
        """The player's."""

    @property
    def ahead_bytes(self) -> int:
        """What all answers in steps have written, and the player has not taken."""

    def send_head(self, stream: Outgoing, head: bytes) -> None:
        """Send a response's head, given as HTTP/1.1 writes it."""

    def send_body(self, stream: Outgoing, pieces: Iterable[Piece], *, end: bool) -> None:
        """Send more of a body."""

    def reset(self, stream_id: int, error: int) -> None:
        """End a stream at once."""

    def wants_more(self, stream_id: int) -> None:
        """Open a stream's window: what came of its request's body has been taken."""

    def go_slow(self, player: "StreamPlayer", follower: Follower) -> None:
        """Let the app answer, with the follower's place in the fill."""

    def answered(self, player: "StreamPlayer") -> None:
        """All of an answer has been written."""


class StreamPlayer:
    """Is player, transport and flow control at once: a stream is all three."""

    chunks: Final = False  # its end is a flag
    is_ending: Final = False  # no answer ends a connection

    def __init__(self, connection: Connection, stream: Outgoing) -> None:
        self._connection = connection
        self.stream = stream
        self.cycle: Cycle | Follower | None = None  # whoever answers now
        self._has_head = False
        self._writable: asyncio.Event | None = None  # somebody waits for it
        self._was_paused = False

    @property
    def transport(self) -> "StreamPlayer":
        """Where the response goes."""
        return self

    @property
    def flow(self) -> "StreamPlayer":
        """Whether it takes more."""
        return self

    @property
    def address(self) -> bytes:
        """The player's."""
        return self._connection.address

    # as a transport

    def write(self, data: Piece) -> None:
        """Send a head, then a body."""
        self.writelines([data])

    def writelines(self, list_of_data: Iterable[Piece]) -> None:
        """Send a head if no final one has been sent, then a body."""
        pieces = [*list_of_data]
        if not self._has_head:
            head = bytes(pieces.pop(0))
            self._has_head = head[9:10] != _INTERIM
            self._connection.send_head(self.stream, head)
        if pieces:
            self._connection.send_body(self.stream, pieces, end=False)

    def get_extra_info(self, name: str) -> None:
        """Nothing is this stream's alone."""

    def is_closing(self) -> bool:
        """Whether nobody listens any more."""
        return self.cycle is None

    def close(self) -> None:
        """Nothing to do: the stream ends with its response."""

    def abort(self) -> None:
        """Let no player take what it got for the whole."""
        self._connection.reset(self.stream.id, INTERNAL_ERROR)

    # as flow control

    @property
    def write_paused(self) -> bool:
        """Whether to wait before writing more."""
        waiting = self.stream.waiting_bytes
        self._was_paused = waiting > AHEAD_BYTES_MAX or (
            waiting > 0 and self._connection.ahead_bytes > SHARED_BYTES_MAX
        )
        return self._was_paused

    async def drain(self) -> None:
        """Wait until more may be written."""
        while self.cycle is not None and self.write_paused:
            self._writable = asyncio.Event()
            await self._writable.wait()

    def drained(self) -> None:
        """Tell those who wait when there is room again."""
        if not self._was_paused or self.stream.waiting_bytes > AHEAD_BYTES_LOW:
            return
        self._was_paused = False
        if self._writable is not None:
            self._writable.set()
        elif self.cycle is not None:
            self.cycle.writable()

    def pause_reading(self) -> None:
        """Nothing to do: a window that is not opened holds up this stream alone."""

    def resume_reading(self) -> None:
        """The app has taken what came."""
        self._connection.wants_more(self.stream.id)

    # as a player

    def on_response_complete(self) -> None:
        """The response is out."""
        self._connection.answered(self)

    def linger(self) -> None:
        """Nothing to do: what is still sent of a request is read and dropped."""

    def go_slow(self, follower: Follower) -> None:
        """Let the app answer what a follower can't."""
        self._connection.go_slow(self, follower)

    def disconnect(self) -> None:
        """The player is gone, or wants no more of this stream."""
        cycle, self.cycle = self.cycle, None
        if self._writable is not None:
            self._writable.set()
        if cycle is not None and not cycle.response_complete:
            cycle.disconnect()
