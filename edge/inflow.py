"""Bodies of requests on one HTTP/2 connection, and the windows given back for them (RFC 9113 §5.2).

A stream gets back what its app has taken, so a slow one holds up nothing but itself. The connection
gets back at once what came, until too much of it waits for all apps together.
"""

from typing import Final

from edge.frames import WINDOW_BYTES, WindowError, window_update

WORTH_BYTES: Final = 16_384  # what a frame gives back at least; the peer has three times that left
HELD_BYTES_MAX: Final = 7 * WINDOW_BYTES  # of all streams; one more window may be on its way


class Inflow:
    """Counts what came and what was taken. What it returns is to be sent."""

    __slots__ = ("_held", "_owed", "_taken", "_untaken")

    def __init__(self) -> None:
        self._untaken: dict[int, int] = {}  # bytes, by stream
        self._taken: dict[int, int] = {}  # and not given back
        self._held = 0  # sum of those that are not taken
        self._owed = 0  # to the connection

    @property
    def held_bytes(self) -> int:
        """What no app has taken yet."""
        return self._held

    def came(self, stream_id: int, size: int) -> None:
        """Count a frame's payload. Raises WindowError when it had no window for it."""
        untaken = self._untaken.get(stream_id, 0) + size
        self._owed += size
        if untaken + self._taken.get(stream_id, 0) > WINDOW_BYTES:
            raise WindowError(stream_id)
        if self._owed > WINDOW_BYTES:
            raise WindowError(0)
        self._untaken[stream_id] = untaken
        self._held += size

    def took(self, stream_id: int) -> bytes:
        """An app has taken all that came for it."""
        untaken = self._untaken.pop(stream_id, 0)
        self._held -= untaken
        taken = self._taken.get(stream_id, 0) + untaken
        if taken < WORTH_BYTES:
            if taken:
                self._taken[stream_id] = taken
            return self.connection()
        self._taken.pop(stream_id, None)
        return window_update(stream_id, taken) + self.connection()

    def end(self, stream_id: int) -> bytes:
        """A stream gets nothing more, or nobody listens to it."""
        self._held -= self._untaken.pop(stream_id, 0)
        self._taken.pop(stream_id, None)
        return self.connection()

    def connection(self) -> bytes:
        """What the connection gets back: all that came, but for what is too much to hold."""
        given = self._owed - max(0, self._held - HELD_BYTES_MAX)
        if given < WORTH_BYTES:
            return b""
        self._owed -= given
        return window_update(0, given)
