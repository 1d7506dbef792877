"""Network namespaces that this process made: named, entered, swept when a run was killed."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

NAMED = Path("/run/netns")  # where `ip netns` mounts them
NAME = re.compile(r"amaro-(\d+)-(\d+)-.*")
CLONE_NEWNET = 0x40000000  # <linux/sched.h>
PRIVATELY = (
    *("unshare", "--user", "--map-root-user", "--net", "--mount"),
    *("sh", "-c", 'mount -t tmpfs amaro-rig /run && exec "$@"', "rig"),
)
"""A prefix of commands: root over a network and names of one's own, for who is not root."""

_runs = count()


class LackingError(Exception):
    """A program is not installed; says which."""


class RefusedError(Exception):
    """This machine lets nobody like us have hosts of our own; says what it takes."""


def as_root(argv: Sequence[str]) -> list[str]:
    """The command such that it may make namespaces; raises when there is no way."""
    lacking = [name for name in ("ip", "tc", "unshare") if shutil.which(name) is None]
    if lacking:
        raise LackingError(f"not found: {', '.join(lacking)} (Debian: iproute2, util-linux)")
    if os.geteuid() == 0 and not _complaint([]):
        return [*argv]
    if complaint := _complaint(PRIVATELY):
        raise RefusedError(
            "hosts of their own need root with CAP_SYS_ADMIN, or user namespaces for everybody "
            f"(sysctl user.max_user_namespaces): {complaint}"
        )
    return [*PRIVATELY, *argv]


def _complaint(prefix: Sequence[str]) -> str:
    """What is said of an attempt to make a namespace; nothing if it can be."""
    name = run_name()
    if said := _said([*prefix, "ip", "netns", "add", name]):
        return said
    return "" if prefix else _said(["ip", "netns", "del", name])


def _said(argv: Sequence[str], text: str = "") -> str:
    """What a command complained of; nothing when it succeeded."""
    done = subprocess.run(argv, input=text, check=False, capture_output=True, text=True)
    return "" if done.returncode == 0 else f"{' '.join(argv)}: {done.stderr.strip()}"


def become_root(module: str) -> None:
    """Run `python -m module` with the same arguments in a user namespace, unless root already."""
    argv = [sys.executable, "-m", module, *sys.argv[1:]]
    try:
        rooted = as_root(argv)
    except (LackingError, RefusedError) as error:
        sys.exit(f"{module}: {error}")
    if rooted != argv:
        os.execvp(rooted[0], rooted)


def ip(*lines: str, within: str | None = None) -> None:
    """Have `ip` carry out all lines, or raise with what it complained of."""
    _carry_out(["ip", *(["-n", within] if within else []), "-batch", "-"], lines)


def tc(*lines: str, within: str) -> None:
    _carry_out(["tc", "-n", within, "-batch", "-"], lines)


def _carry_out(argv: Sequence[str], lines: Iterable[str]) -> None:
    text = "\n".join(lines)
    if said := _said(argv, text):
        raise RuntimeError(f"{said}\n{text}")


def run_name() -> str:
    """What names of one rig begin with: no other rig, in whatever process, has the same."""
    return f"amaro-{os.getpid()}-{_started(os.getpid())}-{next(_runs)}"


@contextmanager
def inside(name: str) -> Iterator[None]:
    """What this thread opens in the block belongs to the namespace, and stays there."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    there = os.open(NAMED / name, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _enter(there)
        try:
            yield
        finally:
            _enter(home)
    finally:
        os.close(there)
        os.close(home)


def _enter(fd: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(fd, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def remove(names: Iterable[str]) -> None:
    """End what still runs in these namespaces, and forget them."""
    for name in names:
        argv = ["ip", "netns", "pids", name]
        told = subprocess.run(argv, check=False, capture_output=True, text=True)
        for pid in map(int, told.stdout.split()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _said(["ip", "netns", "del", name])  # a complaint says that it is gone, or another sweeps


def sweep() -> list[str]:
    """Remove what runs that were killed have left; return the names."""
    left = [path.name for path in NAMED.glob("amaro-*") if _is_orphan(path.name)]
    remove(left)
    return left


def _is_orphan(name: str) -> bool:
    found = NAME.fullmatch(name)
    return found is not None and _started(int(found[1])) != found[2]


def _started(pid: int) -> str:
    """When a process began, in ticks since the machine did; "" if there is none."""
    try:
        said = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return said.rpartition(")")[2].split()[19]
