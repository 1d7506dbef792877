"""TLS as a codec: bytes of a connection in, what they say out, and back. It knows no sockets."""

import ssl
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from edge.windows import Data

RECORD_BYTES_MAX: Final = 16_384  # of a plaintext (RFC 8446 §5.1)
FED_BYTES_MAX: Final = 32_768  # at once: what OpenSSL keeps of its buffer is not much more


class Encryption:
    """One connection's, as its server. Not to be used after `is_broken`.

    What it has to send is returned by each call. `outgoing` is thus empty between two calls, and
    one does for all connections of a worker: each would keep the largest that it ever was.
    """

    __slots__ = ("_incoming", "_outgoing", "is_broken", "is_ended", "is_ready", "tls")

    def __init__(self, context: ssl.SSLContext, outgoing: ssl.MemoryBIO) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = outgoing
        self.tls = context.wrap_bio(self._incoming, outgoing, server_side=True)
        self.is_ready = False  # the handshake is over
        self.is_ended = False  # the peer sends nothing more
        self.is_broken = False  # by an alert, or by what is no TLS

    def shake(self, data: bytes) -> bytes:
        """Take a part of the handshake; return what to send."""
        self._incoming.write(data)
        try:
            self.tls.do_handshake()
            self.is_ready = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            self.is_broken = True
        return self._outgoing.read()

    def opened(self, data: bytes) -> tuple[bytes, bytes]:
        """What these bytes say, and what to send before any of it is answered."""
        pieces: list[bytes] = []
        if len(data) <= FED_BYTES_MAX:
            self._open(data, pieces)
        else:
            view = memoryview(data)
            for at in range(0, len(data), FED_BYTES_MAX):
                self._open(view[at : at + FED_BYTES_MAX], pieces)
        plain = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        return plain, self._outgoing.read() if self._outgoing.pending else b""

    def _open(self, data: Data, pieces: list[bytes]) -> None:
        incoming, tls = self._incoming, self.tls
        if self.is_ended or self.is_broken:
            return
        incoming.write(data)
        try:
            while incoming.pending or tls.pending():
                piece = tls.read(RECORD_BYTES_MAX)
                if not piece:
                    self.is_ended = True
                    return
                pieces.append(piece)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            self.is_broken = True

    def sealed(self, pieces: Iterable[Data]) -> bytes:
        """These bytes encrypted; each piece begins a record."""
        write = self.tls.write
        try:
            for piece in pieces:
                if len(piece) <= RECORD_BYTES_MAX:
                    write(piece)
                else:  # OpenSSL takes one record a call
                    view = memoryview(piece)
                    for at in range(0, len(piece), RECORD_BYTES_MAX):
                        write(view[at : at + RECORD_BYTES_MAX])
        except ssl.SSLError:
            self.is_broken = True
        return self._outgoing.read()

    def farewell(self) -> bytes:
        """What says that nothing more comes."""
        with suppress(ssl.SSLError):  # the peer has not said so yet, or is beyond saying it
            self.tls.unwrap()
        return self._outgoing.read()
