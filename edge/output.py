"""What one HTTP/2 connection sends: heads and small bodies at once, large ones in turns."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import zttp

from edge.arena import Slice
from edge.body import Piece
from edge.frames import (
    FRAME_BYTES_MAX,
    Incoming,
    head_and_data,
    head_frames,
    without_window_updates,
)
from edge.hits import Hit
from edge.outlet import DATA_BYTES_MAX, Outgoing, Outlet

DIRECT_BYTES_MAX: Final = 16_384  # a body that leaves in one frame, without waiting for a turn
BATCH_BYTES_MAX: Final = 131_072  # of such bodies at once; the others wait
TURN_BYTES_MAX: Final = 4 * DATA_BYTES_MAX  # of bodies at once: below a window (`windows.py`)
HELD_BYTES_MAX: Final = 65_536  # of heads while the kernel takes nothing, before reading stops
FULL_BYTES: Final = DATA_BYTES_MAX // 2  # frames that are worth a record of their own


class Output:
    """Frames in the order in which they leave. It tells the parser of each response's end."""

    def __init__(self, parser: zttp.H2Connection, incoming: Incoming) -> None:
        self.transport: asyncio.Transport
        self.outlet = Outlet()
        self.is_full = False  # the transport takes no more
        self._parser = parser
        self._incoming = incoming  # expects the receipt of what is sent
        self._out: list[Piece | Slice] = []  # what the next write begins with
        self._direct_bytes = 0  # of bodies in it
        self._ended: list[int] = []  # streams whose end the parser has to learn

    @property
    def is_held(self) -> bool:
        """Whether so much waits for the kernel that nothing more should be asked."""
        return self.is_full and sum(map(len, self._out)) > HELD_BYTES_MAX

    def add(self, frame: bytes) -> None:
        """Send a frame in its turn; none is none."""
        if frame:
            self._out.append(frame)

    def answer(self, stream_id: int, window: int, block: bytes, hit: Hit, now: float) -> None:
        """Send a response that is all there; `block` is its head's."""
        outlet, length = self.outlet, hit.length
        if not length:
            self._out.append(head_frames(stream_id, block, end=True))
            self._ended.append(stream_id)
        elif length > DIRECT_BYTES_MAX or not self.has_sent(stream_id, window, block, hit.pieces):
            self._out.append(head_frames(stream_id, block, end=False))
            outlet.add(outlet.open(stream_id, window, now), hit.pieces, now, end=True)

    def has_sent(
        self, stream_id: int, window: int, block: bytes, body: Sequence[Piece | Slice]
    ) -> bool:
        """Send a response of one small piece at once; False when it is not, or has to wait."""
        outlet = self.outlet
        if len(body) != 1 or self.is_full or self._direct_bytes >= BATCH_BYTES_MAX:
            return False
        piece = body[0]
        length = len(piece)
        if length > window or length > outlet.window or len(block) > FRAME_BYTES_MAX:
            return False
        heads = head_and_data(stream_id, block, length)
        self._out += (heads, piece)
        self._direct_bytes += length
        outlet.window -= length
        self._ended.append(stream_id)
        return True

    def head(self, stream: Outgoing, block: bytes) -> None:
        """Send the head of a response whose body follows in steps."""
        self._out.append(head_frames(stream.id, block, end=False))

    def reset(self, stream_id: int, error: int) -> None:
        """Send what ends a stream at once."""
        with suppress(zttp.LocalProtocolError):  # it has ended already
            self._parser.stream(stream_id).reset(error)

    def flush(self, now: float) -> None:
        """Write as much as the transport takes."""
        outlet = self.outlet
        self._tell_parser()
        while not self.is_full:
            records: list[bytes] = []
            if self._out:
                records.append(b"".join(self._out))
                self._incoming.sent(self._direct_bytes)
                self._out, self._direct_bytes = [], 0
            if outlet.can_send:
                bodies, size, finished = outlet.take(TURN_BYTES_MAX, now)
                self._incoming.sent(size)
                self._ended += finished
                records += bodies if size > len(bodies) * FULL_BYTES else (b"".join(bodies),)
            if not records:
                break
            self.transport.writelines(records)
            self._tell_parser()

    def close(self) -> None:
        """Send what waits but for bodies, however full the transport is, and no more."""
        self._tell_parser()
        if self._out:
            self.transport.write(b"".join(self._out))
        self.forget()
        self.transport.close()

    def forget(self) -> None:
        """Let go of what waits."""
        self._out, self._direct_bytes = [], 0

    def _tell_parser(self) -> None:
        """Take what the parser wants to send, then tell it which streams have ended.

        What it gives back of windows is dropped: it knows nobody who is slow to take a body.
        """
        parser = self._parser
        control = parser.data_to_send()
        if control and (kept := without_window_updates(control)):
            self._out.append(kept)
        if self._ended:
            for stream_id in self._ended:
                try:  # cheaper than `suppress` by 0.3 us a hit
                    parser.stream(stream_id).send_response(200, None, True)
                except zttp.LocalProtocolError:  # the player has reset it meanwhile
                    continue
            self._ended.clear()
            parser.data_to_send()  # it has been sent already, with another head
