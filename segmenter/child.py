"""Start one media tool with limits, as its own process group, and become it.

Run as `python -I -S child.py SPEC PROGRAM ARGUMENTS…` with SPEC a JSON object:
`{"parent": pid, "nice": n, "idle_io": bool, "memory_bytes": n, "cpu_s": n, "output_bytes": n}`.
"""

import ctypes
import json
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1
SYS_IOPRIO_SET = {"x86_64": 251, "aarch64": 30}
IOPRIO_WHO_PROCESS = 1
IOPRIO_IDLE = 3 << 13


def main() -> None:
    """Limit this process, then replace it by the program."""
    spec = json.loads(sys.argv[1])
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != spec["parent"]:  # it died before the kernel was asked to tell us
        sys.exit(1)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # the worker blocks what it waits for
    os.nice(spec["nice"])
    number = SYS_IOPRIO_SET.get(os.uname().machine)
    if spec["idle_io"] and number is not None:
        libc.syscall(number, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE)
    resource.setrlimit(resource.RLIMIT_AS, (spec["memory_bytes"],) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (spec["cpu_s"],) * 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (spec["output_bytes"],) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - a fixed program, no shell


main()
