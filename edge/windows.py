"""A transport that takes bodies as they are and hands them on in windows.

TLS copies what it is given: a body handed over whole would be in memory once more for every player
that does not read. Here it waits as references to the shared bytes.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

WINDOW_BYTES: Final = 65_536  # at once: what is encrypted, and not taken by the kernel

Data: TypeAlias = bytes | bytearray | memoryview


class WindowedTransport(asyncio.Transport):
    """Wraps one whose own buffer is then hardly used. Its protocol must pass on flow control."""

    def __init__(
        self,
        transport: asyncio.Transport,
        pause: Callable[[], None],
        resume: Callable[[], None],
    ) -> None:
        super().__init__()
        self._transport = transport
        self._pause: Callable[[], None] | None = pause  # what the connection is told
        self._resume: Callable[[], None] | None = resume
        self._waiting: deque[Data] = deque()
        self._waiting_bytes = 0
        self._is_full = False  # the transport takes no more for now
        self._is_paused = False  # as the connection knows it
        self._is_closing = False

    # what the connection writes

    def write(self, data: Data) -> None:
        """Send `data` after all before it."""
        if not self._waiting and not self._is_full and len(data) <= WINDOW_BYTES:
            self._transport.write(data)
        else:
            self._add(data)
            self._go_on()

    def writelines(self, list_of_data: Iterable[Data]) -> None:
        """Send all of these."""
        for data in list_of_data:
            self._add(data)
        self._go_on()

    def close(self) -> None:
        """Send what waits, then close."""
        self._is_closing = True
        if not self._waiting:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self.forget()
        self._transport.abort()

    def forget(self) -> None:
        """Let go of everything: the connection is gone."""
        self._is_closing = True
        self._waiting.clear()
        self._waiting_bytes = 0
        self._pause = self._resume = None

    # what the transport says

    def fill(self) -> None:
        """The transport takes no more (asyncio's `pause_writing`)."""
        self._is_full = True
        self._tell()

    def drain(self) -> None:
        """The transport takes more again (asyncio's `resume_writing`)."""
        self._is_full = False
        self._go_on()

    def _add(self, data: Data) -> None:
        if data:
            self._waiting.append(data)
            self._waiting_bytes += len(data)

    def _go_on(self) -> None:
        while self._waiting and not self._is_full:
            window = self._next_window()
            self._waiting_bytes -= len(window)
            self._transport.write(window)
        self._tell()
        if self._is_closing and not self._waiting:
            self._transport.close()

    def _next_window(self) -> Data:
        """The first bytes that wait; joined, so that no small piece is a TLS record of its own."""
        waiting = self._waiting
        pieces: list[Data] = []
        left = WINDOW_BYTES
        while waiting and left:
            data = waiting.popleft()
            if len(data) > left:
                view = memoryview(data)
                waiting.appendleft(view[left:])
                data = view[:left]
            pieces.append(data)
            left -= len(data)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _tell(self) -> None:
        """Pause or resume the connection when that has changed."""
        paused = self._is_full or bool(self._waiting)
        if paused is self._is_paused:
            return
        self._is_paused = paused
        told = self._pause if paused else self._resume
        if told is not None:
            told()

    # what is asked of either

    def is_closing(self) -> bool:
        """Whether it is closed, or will be."""
        return self._is_closing or self._transport.is_closing()

    def get_write_buffer_size(self) -> int:
        """Bytes that the kernel has not got yet, but for the window that TLS may have."""
        return self._waiting_bytes + self._transport.get_write_buffer_size()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What the transport knows."""
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """Read no more for now."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        self._transport.resume_reading()

    def can_write_eof(self) -> bool:
        """TLS cannot close one direction."""
        return False
