"""Child processes of the stack: start them with a log, stop them for certain."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from amaro import tether

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Mapping

LOG_MAX_BYTES: Final = 10 * 1024 * 1024
TAIL_MAX_BYTES: Final = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run; secrets belong in `environment`, because anyone can read a command line."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]  # added to ours
    log: Path


async def spawn(command: Command) -> Process:
    """Start the command in its own process group, tied to this process's life.

    Call it from the main thread: the kernel watches the thread that forks, not the process.
    """
    roll(command.log)
    with command.log.open("ab") as log:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-IS", tether.__file__, str(os.getpid()), "KILL", *command.argv),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **command.environment},
            process_group=0,  # a Ctrl-C is ours to hand on, in order
        )


async def stop(process: Process, *, grace_s: float) -> None:
    """End the process: SIGTERM, then SIGKILL to its whole group after `grace_s`."""
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), grace_s)
    except TimeoutError:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def roll(log: Path) -> None:
    """Move a log that has grown too large aside; one older log is kept."""
    if log.exists() and log.stat().st_size > LOG_MAX_BYTES:
        log.replace(log.with_suffix(".log.1"))


def tail(log: Path, *, lines: int) -> str:
    """Return the last lines of a log, or an empty string when it has none."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL_MAX_BYTES))
        text = file.read().decode(errors="replace")
    return "\n".join(text.splitlines()[-lines:])


def is_alive(pid: int) -> bool:
    """Say whether a process with this number exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
