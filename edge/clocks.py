"""Every clock of a process, read at once, for what outlives it."""

import os
import time
from pathlib import Path

from edge.residence import Now


class Clocks:
    """Reads the clocks. `behind_s` is what the wall clock is known to have been set back by: it is
    made good, so that nothing that was written down becomes younger."""

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
