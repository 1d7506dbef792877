"""A node's disk, as its supervisor keeps it: one node a directory, its purge log, its size."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from edge.disk_files import prepare
from edge.disk_place import PURGES, note_time
from edge.disk_sweep import Sweep
from edge.log_page import Place
from edge.purge_log import PurgeLog
from edge.purged import Dated, Purged
from edge.purges import Purge
from edge.region_places import RegionPlaces

LOOK_EVERY_S: Final = 1.0
BUSY_EVERY_S: Final = 0.1  # while workers write, or what was purged is not cleared yet
STEP_S: Final = 0.02  # spent on shards before looking at the rest

log = logging.getLogger("edge.disk")


class DiskError(Exception):
    """The directory of the disk tier cannot be used; the message says why and what to do."""


class DiskKeeper:
    """Holds a directory for one node from its opening to `close`."""

    def __init__(self, root: Path, budget_bytes: int) -> None:
        """Take the directory. Raises DiskError."""
        self.root = root
        try:
            prepare(root)
            self._lock = os.open(root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DiskError(f"--disk {root}: {error.strerror}") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            note_time(root)
            self._log = PurgeLog(root / PURGES)
        except BlockingIOError:
            os.close(self._lock)
            raise DiskError(f"--disk {root} is in use by another edge; give each its own") from None
        except OSError as error:
            os.close(self._lock)
            raise DiskError(f"--disk {root}: {error.strerror}") from None
        self.sweep = Sweep(root, budget_bytes, self._log.history.log_id)
        self._cleared_to = -1  # the sequence up to which purged files are gone
        self._clearing = (0, -1)  # shards looked at, and the sequence when that began

    @property
    def sequence(self) -> int:
        """The last purge in the log."""
        return self._log.history.sequence

    @property
    def log_id(self) -> bytes:
        """The name of the log, 8 bytes."""
        return self._log.history.log_id

    @property
    def purged(self) -> Purged:
        """What must not be served any more."""
        return self._log.history.purged

    @property
    def read_to(self) -> Place | None:
        """Up to where another's log was read."""
        return self._log.history.read_to

    @property
    def places(self) -> RegionPlaces:
        """Where that log's numbers are among the purges here."""
        return self._log.history.places

    async def record(self, purges: Sequence[Purge], *, read_to: Place | None = None) -> None:
        """Have purges on disk. Raises OSError when nothing can make them last."""
        now_wall = time.time()
        dated = [Dated(purge, now_wall) for purge in purges]
        await asyncio.to_thread(partial(self._log.append, dated, read_to=read_to))

    async def run(self, written: Callable[[], Awaitable[Iterable[Mapping[str, int]]]]) -> None:
        """Keep the tier within its size, for ever; `written` asks the workers what they wrote."""
        sweep = self.sweep
        await asyncio.to_thread(sweep.clear_aside, 0.0)
        first = len(sweep.sizes)  # shards not yet measured
        while True:
            reports = await written()
            for report in reports:
                sweep.add(report)
            try:
                await asyncio.to_thread(self._step)
            except OSError as error:
                log.warning("the disk cannot be kept: %s", error)
            first -= 1
            if first <= 0 and not sweep.evicting:
                busy = any(reports) or self._cleared_to < self.sequence
                await asyncio.sleep(BUSY_EVERY_S if busy else LOOK_EVERY_S)

    def gauges(self) -> dict[str, float]:
        """What the metrics say of the tier, by name."""
        sweep = self.sweep
        return {
            "disk_used_bytes": sweep.used_bytes,
            "disk_budget_bytes": sweep.budget_bytes,
            "disk_objects": sum(sweep.counts.values()),
            "disk_evicted": sweep.evicted,
            "disk_cleared": sweep.cleared,
        }

    def status(self) -> dict[str, object]:
        """What the admin listener says of the tier."""
        sweep = self.sweep
        return {
            "directory": str(self.root),
            "used_bytes": sweep.used_bytes,
            "budget_bytes": sweep.budget_bytes,
        }

    def close(self) -> None:
        """Let another node have the directory."""
        self._log.close()
        os.close(self._lock)

    def _step(self) -> None:
        """A bounded piece of the work: some shards, and one sample if there is too much."""
        until_mono = time.monotonic() + STEP_S
        while self._look() and time.monotonic() < until_mono:
            pass
        if self.sweep.is_over():
            self.sweep.evict()
        with suppress(OSError):
            note_time(self.root)

    def _look(self) -> bool:
        """Measure one shard, and clear it of what was purged; say whether there is more of that."""
        sweep = self.sweep
        seen = sweep.measure()
        shards, since = self._clearing
        if shards == 0:
            since = self.sequence
        if self._cleared_to < since:
            sweep.clear_purged(seen, self.purged)
        shards += 1
        if shards == len(sweep.sizes):
            self._cleared_to, shards = since, 0
            sweep.clear_aside()
        self._clearing = shards, since
        return self._cleared_to < self.sequence
