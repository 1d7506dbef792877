"""HTTP/2 frames (RFC 9113 §4, §6): those we send, and a look at those that come.

The parser checks every frame, but it does not say how many there are of those that cost the sender
nothing, and WINDOW_UPDATEs are not for it: what may be sent is decided in `outlet.py`.
"""

from struct import Struct
from typing import Final

DATA: Final = 0x0
HEADERS: Final = 0x1
RST_STREAM: Final = 0x3
SETTINGS: Final = 0x4
GOAWAY: Final = 0x7
WINDOW_UPDATE: Final = 0x8
CONTINUATION: Final = 0x9

END_STREAM: Final = 0x1
ACK: Final = 0x1
END_HEADERS: Final = 0x4

NO_ERROR: Final = 0x0
PROTOCOL_ERROR: Final = 0x1
INTERNAL_ERROR: Final = 0x2
FLOW_CONTROL_ERROR: Final = 0x3
REFUSED_STREAM: Final = 0x7
CANCEL: Final = 0x8
ENHANCE_YOUR_CALM: Final = 0xB

STREAM_MAX: Final = 0x7FFF_FFFF
WINDOW_BYTES: Final = 65_535  # that windows begin with, in both directions (RFC 9113 §6.9.2)
FRAME_BYTES_MAX: Final = 16_384  # of a payload: what every peer takes

ALLOWANCE_MAX: Final = 1000  # frames of no use that are taken at once
ALLOWANCE_PER_S: Final = 100
ALLOWANCE_PER_REQUEST: Final = 2
BYTES_PER_ALLOWANCE: Final = 1024  # of bodies sent: their receipt is confirmed in WINDOW_UPDATEs

_INITIAL_WINDOW_SIZE: Final = b"\x00\x04"
_HEADER: Final = Struct(">IBI")  # length and type, flags, stream
_PREFACE_BYTES: Final = 24
_HEADER_BYTES: Final = 9


class FloodError(Exception):
    """A peer that sends frames of no use faster than anybody needs to."""


class WindowError(Exception):
    """A peer raised a window beyond 2^31-1, or sent beyond one; `stream_id` 0: the connection's."""

    def __init__(self, stream_id: int) -> None:
        super().__init__(stream_id)
        self.stream_id = stream_id


def header(length: int, kind: int, flags: int, stream_id: int) -> bytes:
    """The nine bytes before a payload."""
    return _HEADER.pack(length << 8 | kind, flags, stream_id)


def head_frames(stream_id: int, block: bytes, *, end: bool) -> bytes:
    """A header block as HEADERS, and CONTINUATION where it is too long for one frame."""
    flags = END_STREAM if end else 0
    if len(block) <= FRAME_BYTES_MAX:
        return header(len(block), HEADERS, flags | END_HEADERS, stream_id) + block
    first, *others = (
        block[at : at + FRAME_BYTES_MAX] for at in range(0, len(block), FRAME_BYTES_MAX)
    )
    out = [header(len(first), HEADERS, flags, stream_id), first]
    for number, piece in enumerate(others, 1):
        last = END_HEADERS if number == len(others) else 0
        out += (header(len(piece), CONTINUATION, last, stream_id), piece)
    return b"".join(out)


def head_and_data(stream_id: int, block: bytes, length: int) -> bytes:
    """A header block that fits into HEADERS, and the header of all DATA that follows."""
    head = _HEADER.pack(len(block) << 8 | HEADERS, END_HEADERS, stream_id)
    return head + block + _HEADER.pack(length << 8 | DATA, END_STREAM, stream_id)


def goaway(last_stream_id: int, error: int) -> bytes:
    """A GOAWAY frame."""
    return header(8, GOAWAY, 0, 0) + Struct(">II").pack(last_stream_id, error)


def rst_stream(stream_id: int, error: int) -> bytes:
    """An RST_STREAM frame."""
    return header(4, RST_STREAM, 0, stream_id) + error.to_bytes(4, "big")


def window_update(stream_id: int, increment: int) -> bytes:
    """A WINDOW_UPDATE frame."""
    return header(4, WINDOW_UPDATE, 0, stream_id) + increment.to_bytes(4, "big")


def without_window_updates(frames: bytes) -> bytes:
    """Whole frames but for the WINDOW_UPDATEs among them."""
    kept, at = [], 0
    while at < len(frames):
        word, _, _ = _HEADER.unpack_from(frames, at)
        end = at + _HEADER_BYTES + (word >> 8)
        if word & 0xFF != WINDOW_UPDATE:
            kept.append(frames[at:end])
        at = end
    return b"".join(kept)


class Incoming:
    """Splits what comes into frames, in any cut; keeps back what is not for the parser."""

    __slots__ = (
        "_allowance",
        "_rest",
        "_since_mono",
        "_skip",
        "bodies",
        "credits",
        "initial_window",
    )

    def __init__(self, now_mono: float) -> None:
        self._rest = b""
        self._skip = _PREFACE_BYTES  # bytes that are no frame's header
        self._allowance = float(ALLOWANCE_MAX)
        self._since_mono = now_mono
        self.credits: list[tuple[int, int]] = []  # (stream or 0, bytes) since it was last cleared
        self.bodies: list[tuple[int, int]] = []  # likewise: (stream, bytes) of each DATA
        self.initial_window = WINDOW_BYTES  # of streams, as the peer last said

    def sent(self, body_bytes: int) -> None:
        """Expect WINDOW_UPDATEs for these."""
        self._allowance += body_bytes / BYTES_PER_ALLOWANCE

    def feed(self, data: bytes, now_mono: float) -> bytes:
        """What of `data` the parser gets, whole frames or not. Raises FloodError."""
        if self._rest:
            data, self._rest = self._rest + data, b""
        size, at, begin = len(data), 0, 0
        passed: list[bytes] = []
        if self._skip:
            at = min(self._skip, size)
            self._skip -= at
        useless = requests = 0
        while size - at >= _HEADER_BYTES:
            word, flags, stream_id = _HEADER.unpack_from(data, at)
            kind, length = word & 0xFF, word >> 8
            end = at + _HEADER_BYTES + length
            if kind == HEADERS:
                requests += 1
            elif kind != DATA or not (length or flags & END_STREAM):
                if end > size and length <= FRAME_BYTES_MAX:
                    break  # short ones are taken whole
                useless += 1
                if kind == WINDOW_UPDATE and self._credit(data[at + 9 : end], stream_id):
                    passed.append(data[begin:at])
                    begin = end
                elif kind == SETTINGS and not flags & ACK:
                    self._settings(data[at + 9 : end])
            elif length:
                self.bodies.append((stream_id & STREAM_MAX, length))
            if end > size:
                self._skip = end - size
                end = size
            at = end
        self._rest = data[at:]
        passed.append(data[begin:at])
        self._account(useless, requests, now_mono)
        return b"".join(passed)

    def _account(self, useless: int, requests: int, now_mono: float) -> None:
        earned = requests * ALLOWANCE_PER_REQUEST + (now_mono - self._since_mono) * ALLOWANCE_PER_S
        self._since_mono = now_mono
        self._allowance = min(self._allowance + earned, ALLOWANCE_MAX) - useless
        if self._allowance < 0:
            raise FloodError

    def _credit(self, payload: bytes, stream_id: int) -> bool:
        """Note a WINDOW_UPDATE; False for one that the parser shall complain of."""
        increment = int.from_bytes(payload, "big") & STREAM_MAX
        if len(payload) != 4 or not increment:
            return False
        self.credits.append((stream_id & STREAM_MAX, increment))
        return True

    def _settings(self, payload: bytes) -> None:
        for at in range(0, len(payload) - 5, 6):
            value = int.from_bytes(payload[at + 2 : at + 6], "big")
            if payload[at : at + 2] == _INITIAL_WINDOW_SIZE and value <= STREAM_MAX:
                self.initial_window = value
