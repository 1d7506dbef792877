"""Start one media tool with limits, in a session of its own, and become it.

Run as `python -I -S child.py SPEC PROGRAM ARGUMENTS…` with SPEC a JSON object:
`{"parent": pid, "nice": n, "idle_io": bool, "memory_bytes": n, "cpu_s": n, "output_bytes": n}`.
"""

import ctypes
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
SYS_IOPRIO_SET = {"x86_64": 251, "aarch64": 30}
IOPRIO_WHO_PROCESS = 1
IOPRIO_IDLE = 3 << 13
AUTOGROUP = Path("/proc/self/autogroup")


def main() -> None:
    """Limit this process, then replace it by the program."""
    spec = json.loads(sys.argv[1])
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != spec["parent"]:  # it died before the kernel was asked to tell us
        sys.exit(1)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # the worker blocks what it waits for
    _yield_to_other_sessions(os.nice(spec["nice"]))
    number = SYS_IOPRIO_SET.get(os.uname().machine)
    if spec["idle_io"] and number is not None:
        libc.syscall(number, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE)
    resource.setrlimit(resource.RLIMIT_AS, (spec["memory_bytes"],) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (spec["cpu_s"],) * 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (spec["output_bytes"],) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - a fixed program, no shell


def _yield_to_other_sessions(nice: int) -> None:
    """Give the session the niceness, too: where the kernel has a scheduler's group for each
    (sched(7), autogroup), that of a process holds within its own only.
    """
    for _ in range(3):
        try:
            AUTOGROUP.write_text(str(nice))
        except BlockingIOError:  # ten such changes a second, of all processes
            time.sleep(0.1)
        except OSError:  # there are no such groups
            return
        else:
            return


main()
