"""What a server's processes hold in memory, now and at the most."""

import asyncio
from contextlib import suppress
from pathlib import Path

from benchmarks.processes import in_tree

BLOCK_BYTES = 512  # of `st_blocks`
LOOK_EVERY_S = 0.05


def tree(root: int) -> list[int]:
    """Return a process and its living descendants."""
    parent_of: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended meanwhile
            parent_of[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    return [pid for pid in parent_of if in_tree(pid, root, parent_of)]


def resident_bytes(pids: list[int]) -> int:
    """Return the resident set size of all these processes together, files in memory included.

    Of those the kernel counts to a process only the pages that it has touched.
    """
    held = 0
    for pid in pids:
        with suppress(OSError):
            status = Path(f"/proc/{pid}/status").read_text()
            rss_kib, shared_kib = (kib(status, name) for name in ("VmRSS", "RssShmem"))
            held += (rss_kib - shared_kib) * 1024 + in_memory_bytes(pid)
    return held


def kib(status: str, name: str) -> int:
    """Return a figure of /proc/PID/status."""
    return int(status.partition(f"\n{name}:")[2].split(maxsplit=1)[0])


def in_memory_bytes(pid: int, name: str = "") -> int:
    """Return what the files without a name hold that a process has open; or those called so."""
    blocks_of = {}
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            if str(fd.readlink()).startswith(f"/memfd:{name}"):
                stat = fd.stat()
                blocks_of[stat.st_ino] = stat.st_blocks
    return sum(blocks_of.values()) * BLOCK_BYTES


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
