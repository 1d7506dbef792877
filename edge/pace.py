"""How slowly a player reads, judged by what it has not taken, the kernel's part included."""

import fcntl
import termios
from array import array
from typing import Any, Protocol


class Written(Protocol):
    """What has been written to a player, as a transport tells it."""

    def get_write_buffer_size(self) -> int:
        """Bytes that the kernel has not got yet."""

    def get_extra_info(self, name: str) -> Any:
        """The socket, asked for by that name."""


class Pace:
    """One connection's. It is looked at only while memory is short."""

    __slots__ = ("_since_mono", "_untaken_bytes")

    def __init__(self) -> None:
        self._since_mono = 0.0
        self._untaken_bytes = 0  # at that time

    def is_below(
        self, bps: float, patience_s: float, *, transport: Written, now_mono: float
    ) -> bool:
        """Whether a player that holds memory has taken less than `bps` for `patience_s` seconds.

        The first question begins the look at it, and whatever is written meanwhile begins it anew.
        """
        held = transport.get_write_buffer_size()
        untaken = held + in_kernel(transport) if held else 0
        if not held or not self._untaken_bytes or untaken > self._untaken_bytes:
            self._since_mono, self._untaken_bytes = now_mono, untaken
            return False
        elapsed_s = now_mono - self._since_mono
        return elapsed_s >= patience_s and self._untaken_bytes - untaken < bps * elapsed_s


def in_kernel(transport: Written) -> int:
    """Bytes that the kernel has of us and the player has not; 0 where it does not tell."""
    connection = transport.get_extra_info("socket")
    count = array("i", [0])
    try:
        fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, count)
    except OSError:
        return 0
    return count[0]
