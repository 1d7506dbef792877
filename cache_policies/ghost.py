"""What was evicted not long ago: fingerprints in a table of fixed size, aged by bytes."""

from typing import Final

_SLOT_BYTES: Final = 1024  # of the budget: with smaller entries the oldest are forgotten early
_SLOTS_MIN: Final = 1 << 10
_SLOTS_MAX: Final = 1 << 21
_BITS: Final = 32
_MASK: Final = (1 << _BITS) - 1


class Ghost:
    """Remembers names for as long as `span_bytes` more have left. A newcomer may take its slot."""

    def __init__(self, span_bytes: int) -> None:
        wanted = min(_SLOTS_MAX, max(_SLOTS_MIN, span_bytes // _SLOT_BYTES))
        # a bytearray comes zeroed from the kernel: what is not used yet takes no memory
        self._slots = memoryview(bytearray(8 << (wanted - 1).bit_length())).cast("Q")
        # instants are counted in units of bytes that have left, small enough for half a slot
        self._unit = max(1, span_bytes >> 16)
        self._span = span_bytes // self._unit
        self._left_bytes = 0

    def add(self, name_hash: int, size_bytes: int) -> None:
        """Remember a name that has left."""
        self._left_bytes += size_bytes
        stamp = (self._left_bytes // self._unit + self._span + 1) & _MASK
        self._slots[name_hash % len(self._slots)] = self._print(name_hash) << _BITS | stamp

    def take(self, name_hash: int) -> bool:
        """Whether this name is remembered; it is forgotten now."""
        at = name_hash % len(self._slots)
        slot = self._slots[at]
        if slot >> _BITS != self._print(name_hash):
            return False
        self._slots[at] = 0
        now = self._left_bytes // self._unit + self._span + 1
        return (now - (slot & _MASK)) & _MASK <= self._span

    @staticmethod
    def _print(name_hash: int) -> int:
        """A number that is not 0, from bits that do not choose the slot."""
        return ((name_hash >> 21) * 0x9E3779B97F4A7C15 >> 24) & _MASK | 1
