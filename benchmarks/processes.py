"""Servers under measurement: on their cores, awaited, ended by process id, their CPU counted."""

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from amaro import tether

START_MAX_S = 30.0
STOP_MAX_S = 10.0
TICKS = os.sysconf("SC_CLK_TCK")  # a second


def free_port() -> int:
    """Return a port that was free a moment ago, for servers that cannot choose their own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: where it listens, its process group and its log."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path
    tls: bool = False

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}"

    def log_lines(self) -> list[str]:
        """Return what it has logged so far."""
        return self.log.read_text(errors="replace").splitlines()

    def cpu_s(self) -> float:
        """Return the CPU seconds that it and its descendants have used so far."""
        return cpu_of_tree_s(self.process.pid)


def cpu_of_tree_s(root: int) -> float:
    """Return the CPU seconds of a process and its living descendants."""
    parent_of: dict[int, int] = {}
    ticks_of: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended meanwhile
            after_name = stat.read_text().rpartition(")")[2].split()
            pid = int(stat.parent.name)
            parent_of[pid] = int(after_name[1])
            ticks_of[pid] = int(after_name[11]) + int(after_name[12])
    return sum(ticks for pid, ticks in ticks_of.items() if in_tree(pid, root, parent_of)) / TICKS


def in_tree(pid: int, root: int, parent_of: dict[int, int]) -> bool:
    """Say whether `pid` is `root` or descends from it."""
    while pid != root and pid in parent_of:
        pid = parent_of[pid]
    return pid == root


def busy_cpu_s() -> float:
    """Return the CPU seconds that the whole machine has been busy, all cores together."""
    user, nice, system, _idle, _iowait, irq, softirq = map(
        int, Path("/proc/stat").read_text().split(maxsplit=8)[1:8]
    )
    return (user + nice + system + irq + softirq) / TICKS


def cpu_of_children_s() -> float:
    """Return the CPU seconds of the children that have ended, which is to say of the load."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


@contextmanager
def running(
    name: str,
    command: Sequence[str],
    *,
    port: int,
    cores: str,
    log: Path,
    tls: bool = False,
) -> Iterator[Server]:
    """Run a server in its own process group on `cores`, as taskset reads them, until the end."""
    with launched(name, command, port=port, cores=cores, log=log, tls=tls) as server:
        wait_until_listening(server)
        yield server


@contextmanager
def launched(
    name: str,
    command: Sequence[str],
    *,
    port: int,
    cores: str,
    log: Path,
    tls: bool = False,
) -> Iterator[Server]:
    """Do as `running`, but wait for nothing: several may be started at once.

    Call it from the main thread: the server ends with the thread that started it.
    """
    with log.open("ab") as stderr:
        process = subprocess.Popen(
            [*tethered(), "taskset", "-c", cores, *command],
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
        )
    share_as_niced(process.pid)
    try:
        yield Server(name, port, process, log, tls)
    finally:
        stop(process)


def tethered() -> list[str]:
    """Return what stands before a command that is to end with this process, even by SIGKILL."""
    return [sys.executable, "-IS", tether.__file__, str(os.getpid()), "TERM"]


def share_as_niced(pid: int) -> None:
    """Have a process's session share cores with others by our nice value.

    Where Linux groups processes by session (sched(7), autogroup) it holds inside of one only.
    """
    with suppress(OSError):  # no such groups, no such process, no right to
        Path(f"/proc/{pid}/autogroup").write_text(str(os.getpriority(os.PRIO_PROCESS, 0)))


def wait_until_listening(server: Server) -> None:
    """Return when the server accepts connections; raise RuntimeError when it does not in time."""
    deadline = time.monotonic() + START_MAX_S
    while time.monotonic() < deadline and server.process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", server.port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"{server.name} did not start: {' '.join(server.log_lines()[-20:])}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a server that `running` started, with its children, which share its group."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_MAX_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(STOP_MAX_S)
