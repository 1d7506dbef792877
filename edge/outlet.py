"""Bodies that wait to leave one HTTP/2 connection: in turn, within the peer's windows (RFC 9113
§5.2), as references to shared bytes until their turn comes."""

from collections import deque
from collections.abc import Iterable
from typing import Final

from edge.body import Piece
from edge.frames import DATA, END_STREAM, FRAME_BYTES_MAX, STREAM_MAX, header

WORTH_BYTES: Final = 8_192
"""Less than this of a window is left alone while more waits.

A player that confirms each frame as it takes it would have us cut bodies into ever smaller ones.
"""
EARLY_MAX: Final = 256  # streams that are given credit before their request was read


class WindowError(Exception):
    """A peer raised a window beyond 2^31-1; `stream_id` is 0 for the connection's."""

    def __init__(self, stream_id: int) -> None:
        super().__init__(stream_id)
        self.stream_id = stream_id


class Outgoing:
    """What one stream has to send."""

    __slots__ = ("ended", "id", "moved_mono", "pieces", "queued", "waiting_bytes", "window")

    def __init__(self, stream_id: int, window: int, now_mono: float) -> None:
        self.id = stream_id
        self.window = window
        self.pieces: deque[Piece] = deque()
        self.waiting_bytes = 0
        self.ended = False  # nothing comes after the pieces
        self.queued = False  # it has its place in the turns
        self.moved_mono = now_mono  # when it last sent something, or had nothing to send


class Outlet:
    """All streams that are being answered, and the turns that they take."""

    def __init__(self) -> None:
        self.window = 65_535  # the connection's
        self.initial_window = 65_535
        self.streams: dict[int, Outgoing] = {}
        self.waiting_bytes = 0
        self._turns: deque[Outgoing] = deque()
        self._early: dict[int, int] = {}
        self._last_id = 0
        self._largest = 65_535  # that the connection's window has been

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

    def take(self, bytes_max: int, now_mono: float) -> tuple[list[Piece], int, list[int]]:
        """DATA frames of about `bytes_max`, the bytes of bodies in them, and the streams they end.

        Each stream sends one frame a turn.
        """
        frames: list[Piece] = []
        finished: list[int] = []
        turns, left = self._turns, bytes_max
        while turns and left > 0:
            stream = turns[0]
            if not self._lets(stream):
                break
            turns.popleft()
            stream.queued = False
            sent = self._frame(stream, frames, left)
            left -= sent
            stream.moved_mono = now_mono
            if stream.ended and not stream.waiting_bytes:
                del self.streams[stream.id]
                finished.append(stream.id)
            else:
                self._queue(stream)
        return frames, bytes_max - left, finished

    def _lets(self, stream: Outgoing) -> bool:
        """Whether the connection's window is worth a frame of this stream."""
        return self.window >= min(stream.waiting_bytes, WORTH_BYTES, self._largest // 2)

    def _frame(self, stream: Outgoing, frames: list[Piece], left: int) -> int:
        """Add a stream's next frame; return the bytes of the body in it."""
        pieces = stream.pieces
        if not pieces:
            if stream.ended:
                frames.append(header(0, DATA, END_STREAM, stream.id))
            return 0
        if stream.window <= 0:  # it has shrunk since the stream got its turn
            return 0
        first = pieces[0]
        size = min(FRAME_BYTES_MAX, stream.window, self.window, left, len(first))
        if size == len(first):
            pieces.popleft()
        else:
            view = memoryview(first)
            pieces[0], first = view[size:], view[:size]
        stream.window -= size
        stream.waiting_bytes -= size
        self.window -= size
        self.waiting_bytes -= size
        end = stream.ended and not pieces
        frames += (header(size, DATA, END_STREAM if end else 0, stream.id), first)
        return size

    def _queue(self, stream: Outgoing) -> None:
        """Give a stream a turn when it has something that it may send."""
        waiting = stream.waiting_bytes
        worth = min(waiting, WORTH_BYTES, max(self.initial_window // 2, 1))
        ready = stream.window >= worth if waiting else stream.ended
        if ready and not stream.queued:
            stream.queued = True
            self._turns.append(stream)
