"""Where a node's disk tier is, which purge log it obeys, and what time it is there."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge.residence import Now

CLOCK: Final = "clock"  # its time of modification is the latest that the wall clock was
PURGES: Final = "purges"  # the purge log


class Clocks:
    """Reads the clocks. `behind_s` is what the wall clock was set back by since it last ran here:
    it is made good, so that nothing on disk becomes younger."""

    def __init__(self, behind_s: float = 0.0) -> None:
        self._behind_s = behind_s
        self._boot_id = _boot_id()

    def __call__(self) -> Now:
        """One reading."""
        return Now(
            wall=time.time() + self._behind_s,
            mono=time.monotonic(),
            boot_s=_boot_s(),
            boot_id=self._boot_id,
        )


@dataclass(frozen=True, slots=True)
class Place:
    """What everything that reads or writes cache files has in common."""

    root: Path
    log_id: bytes  # of the purge log
    clocks: Clocks

    @classmethod
    def at(cls, root: Path, log_id: bytes) -> "Place":
        """The place at `root` as of now. Raises OSError."""
        return cls(root, log_id, Clocks(max(0.0, latest_wall(root) - time.time())))


def latest_wall(root: Path) -> float:
    """The latest that the wall clock ever was while a node ran here; 0 when none did."""
    try:
        return (root / CLOCK).stat().st_mtime
    except FileNotFoundError:
        return 0.0


def note_time(root: Path) -> None:
    """Note what the wall clock says, if it was never later. Raises OSError."""
    now_wall = time.time()
    if latest_wall(root) < now_wall:
        (root / CLOCK).touch()
        os.utime(root / CLOCK, (now_wall, now_wall))


def _boot_s() -> float:
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


def _boot_id() -> bytes:
    """Names this run of the machine; where nothing does, no two processes share one."""
    try:
        text = Path("/proc/sys/kernel/random/boot_id").read_text()
    except OSError:
        return os.urandom(16)
    return bytes.fromhex(text.strip().replace("-", ""))
