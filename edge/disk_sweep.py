"""What the supervisor does with cache files, in threads: measures, evicts, clears away."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from edge.disk_files import ASIDE, OBJECTS, SHARDS, peek, remove
from edge.purged import Purged
from edge.record import DamagedError

SAMPLE_MIN: Final = 256  # files compared before the oldest of them go
EVICTED_SHARE: Final = 8  # one in so many of the sample, at most
KEEP_SHARE: Final = 0.97  # of the budget, once it was exceeded
FREE_SHARE: Final = 0.02  # of the file system is left to others
ABANDONED_S: Final = 600.0  # a file aside that nobody has written to for this long


@dataclass(frozen=True, slots=True)
class Seen:
    """One cache file."""

    path: Path
    inode: int
    shard: str
    size: int  # on disk
    used_wall: float


@dataclass(slots=True)
class Sweep:
    """The files of a tier: sizes by shard as last seen, plus what workers say they wrote since.

    Names are hashes, so the files of some shards are a fair sample of all: evicting the least
    recently used of a sample needs no index, and no more work a step than reading that sample.
    """

    root: Path
    budget_bytes: int
    log_id: bytes
    sizes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SHARDS, 0))
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SHARDS, 0))
    evicted: int = 0
    cleared: int = 0  # that were purged
    _next: int = 0
    evicting: bool = False

    @property
    def used_bytes(self) -> int:
        """What the tier takes on disk."""
        return sum(self.sizes.values())

    def add(self, written: Mapping[str, int]) -> None:
        """Count what a worker wrote."""
        for shard, size in written.items():
            self.sizes[shard] += size

    def is_over(self) -> bool:
        """Whether files have to go: from the budget on, until some room is made."""
        free, total = self._free()
        limit = min(self.budget_bytes, int(self.used_bytes + free - FREE_SHARE * total))
        keep = KEEP_SHARE if self.evicting else 1.0
        self.evicting = self.used_bytes > keep * limit
        return self.evicting

    def measure(self) -> list[Seen]:
        """Look at the next shard."""
        shard = SHARDS[self._next]
        self._next = (self._next + 1) % len(SHARDS)
        return self._look(shard)

    def evict(self) -> None:
        """Remove the least recently used files of a sample, until there is room."""
        sample: list[Seen] = []
        for _ in SHARDS:
            sample += self.measure()
            if len(sample) >= SAMPLE_MIN:
                break
        sample.sort(key=lambda seen: seen.used_wall)
        for seen in sample[: -(-len(sample) // EVICTED_SHARE)]:
            self._remove(seen)
            self.evicted += 1
            if not self.is_over():
                break

    def clear_purged(self, seen: Iterable[Seen], purged: Purged) -> None:
        """Remove what no worker will serve any more."""
        for each in seen:
            if self._is_garbage(each.path, purged):
                self._remove(each)
                self.cleared += 1

    def clear_aside(self, older_than_s: float = ABANDONED_S) -> None:
        """Remove what writers that died have left."""
        now_wall = time.time()
        with suppress(FileNotFoundError):
            for left in os.scandir(self.root / ASIDE):
                with suppress(FileNotFoundError):
                    if abs(now_wall - left.stat().st_mtime) >= older_than_s:
                        Path(left.path).unlink()

    def _look(self, shard: str) -> list[Seen]:
        found, now_wall = [], time.time()
        with suppress(FileNotFoundError):
            for file in os.scandir(self.root / OBJECTS / shard):
                with suppress(FileNotFoundError):
                    status = file.stat(follow_symlinks=False)
                    used_wall = status.st_mtime if status.st_mtime <= now_wall + 2 else 0.0
                    size = max(status.st_blocks * 512, status.st_size)
                    found.append(Seen(Path(file.path), status.st_ino, shard, size, used_wall))
        self.sizes[shard] = sum(seen.size for seen in found)
        self.counts[shard] = len(found)
        return found

    def _remove(self, seen: Seen) -> None:
        remove(seen.path, seen.inode)
        self.sizes[seen.shard] -= seen.size
        self.counts[seen.shard] -= 1

    def _is_garbage(self, path: Path, purged: Purged) -> bool:
        try:
            head = peek(path)
        except FileNotFoundError:
            return False
        except DamagedError:
            return True
        gone = purged.since(head.purge_sequence, head.key, head.tags)
        return gone or head.log_id != self.log_id

    def _free(self) -> tuple[int, int]:
        status = os.statvfs(self.root)
        return status.f_bavail * status.f_frsize, status.f_blocks * status.f_frsize
