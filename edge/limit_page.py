"""The part of a node's shared page that holds what was used of limits."""

from __future__ import annotations

import mmap
import os
from typing import Final

from edge.limit_table import SECRET_BYTES, LimitTable, table_words
from edge.purges import PurgePage

_HEADER_BYTES: Final = 64


def make_room(page: PurgePage) -> None:
    """Have the page hold an empty table behind its purges, unless it holds one."""
    at, size = _place(page)
    if os.fstat(page.fd).st_size < at + size:
        os.ftruncate(page.fd, at + size)
        os.pwrite(page.fd, os.urandom(SECRET_BYTES), at)


class LimitPage:
    """A worker's map of the table; only what was used takes memory."""

    def __init__(self, page: PurgePage, worker_no: int) -> None:
        at, size = _place(page)
        self._map = mmap.mmap(page.fd, size, offset=at)
        secret = self._map[:SECRET_BYTES]
        self._view = memoryview(self._map)
        self._words = self._view[_HEADER_BYTES:].cast("q")
        self.table = LimitTable(
            self._words, workers=page.workers, worker_no=worker_no, secret=secret
        )

    def close(self) -> None:
        """Unmap it; nobody asks a bucket any more."""
        self._words.release()
        self._view.release()
        self._map.close()


def _place(page: PurgePage) -> tuple[int, int]:
    """Where the table begins in the file, and its bytes."""
    grain = mmap.ALLOCATIONGRANULARITY
    at = -(-page.size_bytes // grain) * grain
    return at, _HEADER_BYTES + 8 * table_words(page.workers)
