"""Where a node's disk tier is, which purge log it obeys, and what time it is there."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge.clocks import Clocks

CLOCK: Final = "clock"  # its time of modification is the latest that the wall clock was
PURGES: Final = "purges"  # the purge log


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
