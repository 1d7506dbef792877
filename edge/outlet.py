"""Bodies that wait to leave one HTTP/2 connection: in turn, within the peer's windows (RFC 9113
§5.2), as references to shared bytes until their turn comes."""

from collections import deque
from collections.abc import Iterable
from typing import Final

from edge.body import Piece
from edge.frames import DATA, END_STREAM, STREAM_MAX, WINDOW_BYTES, WindowError, header

WORTH_BYTES: Final = 8_192
"""Less than this of a window is left alone while more waits.

A player that confirms each frame as it takes it would have us cut bodies into ever smaller ones.
"""
DATA_BYTES_MAX: Final = 16_375  # of a frame: with its header it is one TLS record
EARLY_MAX: Final = 256  # streams that are given credit before their request was read


class Outgoing:
    """What one stream has to send."""

    __slots__ = ("at", "ended", "id", "moved_mono", "pieces", "queued", "waiting_bytes", "window")

    def __init__(self, stream_id: int, window: int, now_mono: float) -> None:
        self.id = stream_id
        self.window = window
        self.pieces: deque[Piece] = deque()
        self.at = 0  # bytes of the first one that have left
        self.waiting_bytes = 0
        self.ended = False  # nothing comes after the pieces
        self.queued = False  # it has its place in the turns
        self.moved_mono = now_mono  # when it last sent something, or had nothing to send


class Outlet:
    """All streams that are being answered, and the turns that they take."""

    def __init__(self) -> None:
        self.window = WINDOW_BYTES  # the connection's
        self.initial_window = WINDOW_BYTES
        self.streams: dict[int, Outgoing] = {}
        self.waiting_bytes = 0
        self._turns: deque[Outgoing] = deque()
        self._early: dict[int, int] = {}
        self._last_id = 0
        self._largest = WINDOW_BYTES  # that the connection's window has been

    # streams

    def begin(self, stream_id: int) -> int:
        """Note a request; return the window of its stream."""
        self._last_id = stream_id
        early = self._early.pop(stream_id, 0) if self._early else 0
        return self.initial_window + early

    def open(self, stream_id: int, window: int, now_mono: float) -> Outgoing:
        """Give a stream a place here, until its end has left or it is dropped."""
        stream = self.streams[stream_id] = Outgoing(stream_id, window, now_mono)
        return stream

    def add(self, stream: Outgoing, pieces: Iterable[Piece], now_mono: float, *, end: bool) -> None:
        """Let these bytes wait for their turn; with `end` they are the last ones."""
        before = stream.waiting_bytes
        if not before:
            stream.moved_mono = now_mono
        for piece in pieces:
            if piece:
                stream.pieces.append(piece)
                stream.waiting_bytes += len(piece)
        self.waiting_bytes += stream.waiting_bytes - before
        stream.ended = end
        self._queue(stream)

    def drop(self, stream_id: int) -> Outgoing | None:
        """Forget a stream; what it had to send is not sent."""
        stream = self.streams.pop(stream_id, None)
        if stream is not None:
            self.waiting_bytes -= stream.waiting_bytes
            stream.waiting_bytes = 0
            stream.pieces.clear()
            stream.at = 0
            stream.ended = False
        return stream

    # windows

    def credit(self, stream_id: int, increment: int) -> None:
        """Take a WINDOW_UPDATE. Raises WindowError."""
        if stream_id == 0:
            self.window += increment
            self._largest = max(self._largest, self.window)
            if self.window > STREAM_MAX:
                raise WindowError(0)
            return
        stream = self.streams.get(stream_id)
        if stream is not None:
            stream.window += increment
            if stream.window > STREAM_MAX:
                raise WindowError(stream_id)
            self._queue(stream)
        elif stream_id > self._last_id and len(self._early) < EARLY_MAX:
            self._early[stream_id] = min(self._early.get(stream_id, 0) + increment, STREAM_MAX)

    def resize(self, initial_window: int) -> None:
        """Take a new initial window, which changes that of every stream (RFC 9113 §6.9.2)."""
        change, self.initial_window = initial_window - self.initial_window, initial_window
        for stream in self.streams.values():
            stream.window += change
            if stream.window > STREAM_MAX:
                raise WindowError(stream.id)
            self._queue(stream)

    # turns

    @property
    def can_send(self) -> bool:
        """Whether `take` would return anything."""
        return bool(self._turns) and self._lets(self._turns[0])

    def take(self, bytes_max: int, now_mono: float) -> tuple[list[bytes], int, list[int]]:
        """DATA frames of at most `bytes_max`, bytes of bodies in them, and the streams they end.

        Each stream sends one frame a turn.
        """
        frames: list[bytes] = []
        finished: list[int] = []
        turns, left = self._turns, bytes_max
        while turns and left > 0 and self._lets(turns[0]):
            stream = turns.popleft()
            stream.queued = False
            stream.moved_mono = now_mono
            left -= self._frame(stream, frames, left)
            if stream.ended and not stream.waiting_bytes:
                del self.streams[stream.id]
                finished.append(stream.id)
            else:
                self._queue(stream)
        return frames, bytes_max - left, finished

    def _lets(self, stream: Outgoing) -> bool:
        """Whether the connection's window is worth a frame of this stream."""
        window = self.window
        return window >= WORTH_BYTES or window >= min(stream.waiting_bytes, self._largest // 2)

    def _frame(self, stream: Outgoing, frames: list[bytes], left: int) -> int:
        """Add a stream's next frame; return the bytes of the body in it."""
        pieces = stream.pieces
        if not pieces:
            if stream.ended:
                frames.append(header(0, DATA, END_STREAM, stream.id))
            return 0
        if stream.window <= 0:  # it has shrunk since the stream got its turn
            return 0
        first, at = pieces[0], stream.at
        rest = len(first) - at
        size = min(DATA_BYTES_MAX, stream.window, self.window, left, rest)
        if size == rest:
            pieces.popleft()
            stream.at = 0
        else:
            stream.at = at + size
        end = END_STREAM if stream.ended and not pieces else 0
        if size != len(first):
            first = memoryview(first)[at : at + size]
        frames.append(header(size, DATA, end, stream.id) + first)
        stream.window -= size
        stream.waiting_bytes -= size
        self.window -= size
        self.waiting_bytes -= size
        return size

    def _queue(self, stream: Outgoing) -> None:
        """Give a stream a turn when it has something that it may send."""
        if stream.queued:
            return
        waiting = stream.waiting_bytes
        if waiting:
            worth = min(waiting, WORTH_BYTES, max(self.initial_window // 2, 1))
            if stream.window < worth:
                return
        elif not stream.ended:
            return
        stream.queued = True
        self._turns.append(stream)
