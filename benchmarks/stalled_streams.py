"""A connection of HTTP/2 with many streams on it, none of which is read until the end."""

import socket
import ssl
from struct import Struct

from benchmarks.object_origin import body
from benchmarks.pairing import RunRefusedError
from edge import frames

LIMIT_S = 60.0
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
WINDOW_MAX = 2**31 - 1
INITIAL_WINDOW_SIZE = 4
STATUS_200 = 0x88  # `:status: 200` (RFC 7541 Appendix A)
READ_BYTES = 65_536


def setting(initial_window: int) -> bytes:
    """Return a SETTINGS frame that lets each stream have so many bytes."""
    payload = Struct(">HI").pack(INITIAL_WINDOW_SIZE, initial_window)
    return frames.header(len(payload), frames.SETTINGS, 0, 0) + payload


def request(stream_id: int, target: bytes) -> bytes:
    """Return a GET as literal field lines (RFC 7541 §6.2.2); names and values are short."""
    block = b"\x82\x87\x01\x0abench.test\x04" + bytes([len(target)]) + target
    flags = frames.END_HEADERS | frames.END_STREAM
    return frames.header(len(block), frames.HEADERS, flags, stream_id) + block


class StalledStreams:
    """Asks for one object on each of `streams`, with so much window for each, and then stops."""

    def __init__(
        self,
        connection: ssl.SSLSocket,
        wanted: tuple[int, int],
        *,
        streams: int,
        initial_window: int,
    ) -> None:
        """`wanted` is the number and the size of the object."""
        self._connection = connection
        self.expected = memoryview(body(*wanted))
        self._received = dict.fromkeys(range(1, 2 * streams, 2), 0)
        self._answered: set[int] = set()
        self._ended: set[int] = set()
        self._unread = bytearray()
        target = b"/o/%d/%d" % wanted
        opening = [PREFACE, setting(initial_window)]
        opening.append(frames.header(4, frames.WINDOW_UPDATE, 0, 0))
        opening.append((WINDOW_MAX - 65_535).to_bytes(4, "big"))
        opening += [request(stream_id, target) for stream_id in self._received]
        connection.settimeout(LIMIT_S)
        connection.sendall(b"".join(opening))
        if initial_window:
            self._read()  # something came: it is being served
        else:
            while len(self._answered) < streams:
                self._read()

    def finish(self) -> None:
        """Read all there is; raise RunRefusedError unless every stream is answered rightly."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._connection.sendall(setting(WINDOW_MAX))
        while len(self._ended) < len(self._received):
            self._read()
        self.close()

    def close(self) -> None:
        """Read no more of it."""
        self._connection.close()

    def _read(self) -> None:
        data = self._connection.recv(READ_BYTES)
        if not data:
            raise RunRefusedError("a connection with stalled streams was closed")
        unread = self._unread
        unread += data
        at = 0
        while len(unread) - at >= 9:
            end = at + 9 + int.from_bytes(unread[at : at + 3], "big")
            if end > len(unread):
                break
            stream_id = int.from_bytes(unread[at + 5 : at + 9], "big")
            self._take(unread[at + 3], unread[at + 4], stream_id, bytes(unread[at + 9 : end]))
            at = end
        del unread[:at]

    def _take(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        match kind:
            case frames.HEADERS if payload[0] == STATUS_200:
                self._answered.add(stream_id)
            case frames.DATA:
                at = self._received[stream_id]
                self._received[stream_id] = end = at + len(payload)
                if payload != self.expected[at:end]:
                    raise RunRefusedError(f"stream {stream_id} got wrong bytes after {at}")
                if flags & frames.END_STREAM:
                    self._end(stream_id)
            case frames.SETTINGS if not flags & frames.ACK:
                self._connection.sendall(frames.header(0, frames.SETTINGS, frames.ACK, 0))
            case frames.SETTINGS | frames.WINDOW_UPDATE:
                pass
            case _:
                raise RunRefusedError(f"stream {stream_id} got frame {kind}: {payload[:80]!r}")

    def _end(self, stream_id: int) -> None:
        if self._received[stream_id] != len(self.expected) or stream_id not in self._answered:
            raise RunRefusedError(f"stream {stream_id} ended after {self._received[stream_id]}")
        self._ended.add(stream_id)
