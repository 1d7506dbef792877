"""Run a command that dies with the process that started it: `tether.py PARENT SIGNAL COMMAND…`.

Run as a file, not as a module of the package, so that it starts in a few milliseconds. The kernel
keeps the parent-death signal over exec, so the command itself needs to know nothing of it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def tether(parent: int, deadly: signal.Signals) -> None:
    """Have the kernel send `deadly` to this process when `parent` ends, even by SIGKILL."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, deadly)
    if os.getppid() != parent:  # it ended before the kernel knew
        sys.exit(f"the process that started this one ({parent}) has ended")


def main(argv: list[str]) -> None:
    """Become the command; PARENT `-` is whoever is the parent now."""
    parent, deadly, *command = argv
    tether(os.getppid() if parent == "-" else int(parent), signal.Signals[f"SIG{deadly}"])
    os.execvp(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
