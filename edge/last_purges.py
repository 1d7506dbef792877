"""When the resources of many keys were last purged, in a fixed number of bytes."""

from array import array
from typing import Final

SLOTS: Final = 65_536
_NONE: Final = b"\x00" * 8


class LastPurges:
    """The highest sequence number by slot: keys whose hash leads to one slot share it.

    So nobody can make it forget a purge, whatever number of keys he has purged; each key costs one
    in `slots` of all others what was stored of them before.
    """

    __slots__ = ("_last", "_slots")

    def __init__(self, slots: int = SLOTS) -> None:
        """It takes 8 bytes a slot from the first purge on."""
        self._slots = slots
        self._last: array[int] | None = None

    def note(self, hashed: int, sequence: int) -> None:
        """The key of this hash was purged."""
        if self._last is None:
            self._last = array("Q", _NONE * self._slots)
        at = hashed % self._slots
        self._last[at] = max(self._last[at], sequence)

    def of(self, hashed: int) -> int:
        """The last purge of the key of this hash, or of one that shares its slot; 0 for none."""
        return 0 if self._last is None else self._last[hashed % self._slots]

    def to_bytes(self) -> bytes:
        """All of it, for `restore`; b"" while nothing was purged."""
        return b"" if self._last is None else self._last.tobytes()

    def restore(self, packed: bytes) -> None:
        """Become what gave `packed`. Raises ValueError when its slots were others."""
        if len(packed) not in (0, 8 * self._slots):
            raise ValueError("another number of slots")
        self._last = array("Q", packed) if packed else None
