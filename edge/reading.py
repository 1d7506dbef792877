"""Where bytes from upstreams are read into, and how many at once."""

from typing import Final, Protocol

READ_BYTES: Final = 262_144  # at most at once: also the largest piece that a slow player can hold
_READ_BYTES_FULL: Final = 65_536  # when memory is
_FULL_AT: Final = 0.75


class Account(Protocol):
    """Where a client says what it holds, and learns how short memory is."""

    def ahead(self, piece_bytes: int) -> None:
        """Count bytes read ahead of their consumer; negative when they are taken."""

    def shortage(self) -> float:
        """0 while all fits, 1 when nothing more may come in."""

    def fullness(self) -> float:
        """How much of what there is for it is in use: 1 is all."""


class ReadingPlace:
    """One for all connections of a worker: what was read there is used up at once."""

    def __init__(self, account: Account) -> None:
        self.buffer = memoryview(bytearray(READ_BYTES))
        self._part = self.buffer[:_READ_BYTES_FULL]
        self._account = account

    def room(self) -> memoryview:
        """To read into: less where it may stay for long."""
        return self.buffer if self._account.fullness() < _FULL_AT else self._part
