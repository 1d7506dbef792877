"""A connection over TLS as a transport: nothing is encrypted before the kernel takes what was.

uvloop's own encrypts up to four writes ahead, keeps 256 KiB to read into for each connection, and
shows a connection to nobody before its handshake is over, so that these could not be bounded.
"""

import asyncio
from collections.abc import Iterable
from time import monotonic
from typing import Any, Final

from edge.encryption import Encryption
from edge.windows import Data

FAREWELL_S: Final = 5.0  # for the peer to close, too, once it has got everything
FLUSH_S: Final = 120.0  # for it to take what was written before


class EncryptedTransport(asyncio.Transport):
    """Wraps a TCP connection whose protocol passes on what it says of flow control."""

    def __init__(
        self, tcp: asyncio.Transport, encryption: Encryption, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__()
        self._tcp = tcp
        self._encryption = encryption
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None  # of the end
        self._is_closing = False
        self._closing_mono = 0.0

    def write(self, data: Data) -> None:
        """Send `data` at once, as far as the kernel takes it."""
        if data:
            self.writelines((data,))

    def writelines(self, list_of_data: Iterable[Data]) -> None:
        """Send all of these, none of them empty; each begins a record."""
        if self._is_closing:
            return
        self._tcp.write(self._encryption.sealed(list_of_data))
        if self._encryption.is_broken:
            self.abort()

    def close(self) -> None:
        """Send what waits, say that it was all, then wait a moment for the peer to end it.

        A connection that is closed with something unread is reset, and the peer might lose its end.
        """
        if self._is_closing:
            return
        self._is_closing = True
        self._closing_mono = monotonic()
        if not self._tcp.is_closing():
            self._tcp.write(self._encryption.farewell())
            self._tcp.write_eof()
            self._tcp.resume_reading()
            self._timer = self._loop.call_later(FAREWELL_S, self._end)

    def _end(self) -> None:
        if not self._tcp.get_write_buffer_size():
            self._tcp.close()
        elif monotonic() - self._closing_mono >= FLUSH_S:
            self._tcp.abort()
        else:
            self._timer = self._loop.call_later(FAREWELL_S, self._end)

    def abort(self) -> None:
        """Close at once."""
        self._is_closing = True
        self._tcp.abort()

    def lost(self) -> None:
        """The TCP connection is gone."""
        self._is_closing = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def is_closing(self) -> bool:
        """Whether it is closed, or will be."""
        return self._is_closing or self._tcp.is_closing()

    def get_write_buffer_size(self) -> int:
        """Bytes, encrypted, that the kernel has not got yet."""
        return self._tcp.get_write_buffer_size()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What TLS or the TCP connection knows."""
        if name == "ssl_object":
            return self._encryption.tls
        if name == "sslcontext":
            return self._encryption.tls.context
        return self._tcp.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """Read no more for now."""
        if not self._is_closing:
            self._tcp.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        self._tcp.resume_reading()

    def can_write_eof(self) -> bool:
        """TLS cannot close one direction."""
        return False
