"""Slices of 1 MiB in pages that the kernel can send from, without copying them once more.

`sendfile` hands a socket references to pages of a file; this one has no name and lies in memory.
Such a page may be on its way to a player long after its slice was let go of. So no place is
written to twice: its pages are freed first, and the next slice there gets new ones.
"""

import ctypes
import mmap
import os
import weakref
from typing import Final, TypeAlias

SLICE_BYTES: Final = 1 << 20


class Slot(ctypes.Array[ctypes.c_char]):
    """A slice as `bytes` are one, with its place in the file; that is free after its last use."""

    _type_ = ctypes.c_char
    _length_ = SLICE_BYTES
    arena: "Arena"
    fd: int
    offset: int  # in the file

    def __del__(self) -> None:
        self.arena.give_back(self.offset)


Slice: TypeAlias = bytes | Slot


class Arena:
    """A file in memory with places for slices; one per worker.

    Its size is address space only: there are pages for what is kept.
    """

    def __init__(self, budget_bytes: int) -> None:
        """Raises OSError where there can be no such file, or pages of it cannot be freed."""
        size = budget_bytes // SLICE_BYTES * SLICE_BYTES
        self.fd = os.memfd_create("slices")
        weakref.finalize(self, os.close, self.fd)
        os.ftruncate(self.fd, size)
        self._map = mmap.mmap(self.fd, size)
        self._map.madvise(mmap.MADV_REMOVE, 0, SLICE_BYTES)
        self._free = list(range(0, size, SLICE_BYTES))

    def keep(self, data: bytes) -> Slot | None:
        """A full slice in a place of the file; None when no place or no memory is left."""
        if not self._free:
            return None
        offset = self._free.pop()
        try:
            written = os.pwrite(self.fd, data, offset)
        except OSError:
            written = 0
        slot = Slot.from_buffer(self._map, offset)
        slot.arena, slot.fd, slot.offset = self, self.fd, offset
        return slot if written == SLICE_BYTES else None

    def give_back(self, offset: int) -> None:
        """Free the pages of a place, and with that the place."""
        self._map.madvise(mmap.MADV_REMOVE, offset, SLICE_BYTES)
        self._free.append(offset)
