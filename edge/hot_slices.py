"""Moves the slices that players take most to where the kernel can send from."""

from collections.abc import Callable

from edge.arena import SLICE_BYTES, Arena, Slot
from edge.entry import Entry


class HotSlices:
    """Those of one memory tier. Few are moved: a move costs what 80 parts of 64 KiB save.

    Which slice was the last one `taken` when a move is due is chance, and so mostly a hot one.
    """

    def __init__(self, budget_bytes: int) -> None:
        self._budget_bytes = budget_bytes
        self._arena: Arena | None = None
        self._can_move = True
        self.taken: tuple[Entry, int] | None = None  # from the heap: an entry, and which slice

    def step(self, holds: Callable[[Entry], bool]) -> list[bytes]:
        """Move a slice if one was taken; return what held it, which players may be reading.

        `holds` tells whether an entry is still stored.
        """
        taken, self.taken = self.taken, None
        if taken is None or not self._can_move:
            return []
        entry, number = taken
        data = entry.slice(number)
        if not isinstance(data, bytes) or len(data) != SLICE_BYTES or not holds(entry):
            return []
        slot = self._place(data)
        if slot is None:
            return []
        entry.move(number, slot)
        return [data]

    def _place(self, data: bytes) -> Slot | None:
        if self._arena is None:
            try:
                self._arena = Arena(self._budget_bytes)
            except OSError:
                self._can_move = False
                return None
        return self._arena.keep(data)
