"""What a server's processes hold in memory, now and at the most."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path

from benchmarks.processes import in_tree

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
LOOK_EVERY_S = 0.05


def tree(root: int) -> list[int]:
    """Return a process and its living descendants."""
    parent_of: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended meanwhile
            parent_of[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    return [pid for pid in parent_of if in_tree(pid, root, parent_of)]


def resident_bytes(pids: list[int]) -> int:
    """Return the resident set size of all these processes together."""
    pages = 0
    for pid in pids:
        with suppress(OSError):
            pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * PAGE_BYTES


class Resident:
    """The memory of one server since this was made: `start_bytes`, `grown_bytes`, `peak_bytes`."""

    def __init__(self, root: int) -> None:
        self._pids = tree(root)
        self.start_bytes = resident_bytes(self._pids)
        self.peak_bytes = 0  # above the start

    def grown_bytes(self) -> int:
        """Return how much more it holds now than at the start."""
        grown = resident_bytes(self._pids) - self.start_bytes
        self.peak_bytes = max(self.peak_bytes, grown)
        return grown

    async def watch(self) -> None:
        """Look again and again, for the peak, until cancelled."""
        while True:
            self.grown_bytes()
            await asyncio.sleep(LOOK_EVERY_S)
