"""A whole running stack for tests: `amaro up` on free ports and a data directory of its own."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import httpx

from amaro.commands.status import ask_all
from amaro.stack import DataDir, Service, Stack, StackError
from tests.support.edge_node import NO_TLS
from tests.support.ports import own_port

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
START_MAX_S = 150.0
PATIENCE_S = 180.0  # with one answer, or one end, on a busy machine
POLL_S = 0.05


def until(ask: Callable[[], T], *, max_s: float, what: str) -> T:
    """Return the first true answer of `ask`; fail when none came in time."""
    deadline = time.monotonic() + max_s
    while time.monotonic() < deadline:
        if answer := ask():
            return answer
        time.sleep(POLL_S)
    raise AssertionError(f"{what}: not within {max_s:.0f} s")


def get(url: str) -> httpx.Response:
    """Ask with patience."""
    return httpx.get(url, timeout=PATIENCE_S, trust_env=False, verify=NO_TLS)


@dataclass(slots=True)
class RunningStack:
    """One `amaro up` and what it runs."""

    data: DataDir
    port_base: int
    process: subprocess.Popen[bytes]
    output: Path

    @property
    def stack(self) -> Stack:
        """Return `run/stack.json` as it is now."""
        return self.data.read_stack()

    @property
    def token(self) -> str:
        """Return the admin token."""
        return self.stack.token

    def service(self, name: str) -> Service:
        """Return the service with this name, with its process number of now."""
        return next(found for found in self.stack.services if found.name == name)

    def url(self, name: str) -> str:
        """Return a service's URL, without a slash at the end."""
        return self.service(name).url

    def amaro(self, *argv: str, max_s: float = 400.0) -> subprocess.CompletedProcess[str]:
        """Run `amaro ARGV… --data DIR` to its end."""
        return subprocess.run(
            [*AMARO, *argv, "--data", str(self.data.root)],
            capture_output=True,
            text=True,
            timeout=max_s,
            check=False,
        )

    def is_ready(self) -> bool:
        """Say whether every service answers that it is ready, as `amaro status` asks them."""
        try:
            return all(asyncio.run(ask_all(self.stack.services)))
        except StackError:
            return False

    def wait_ready(self) -> None:
        """Return when the stack is ready; fail with its output when it ends or takes too long."""

        def ask() -> bool:
            if self.process.poll() is not None:
                raise AssertionError(f"amaro up ended: {self.output.read_text()}")
            return self.is_ready()

        until(ask, max_s=START_MAX_S, what=f"amaro up ready; it said {self.output.read_text()!r}")

    def wait_restarted(self, name: str, dead: int) -> None:
        """Return when the service runs again under another process number and all is ready."""
        until(
            lambda: self.service(name).pid not in {None, dead} and self.is_ready(),
            max_s=START_MAX_S,
            what=f"{name} restarted",
        )

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal to `amaro up` and return its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(PATIENCE_S)


AMARO = (sys.executable, "-m", "amaro")


def start_stack(data: Path, *options: str, edges: int = 2) -> RunningStack:
    """Start a stack on free ports and return it when it is ready."""
    data.mkdir(parents=True, exist_ok=True)
    output = data / "up.txt"
    base = own_port()
    with output.open("ab") as file:
        process = subprocess.Popen(
            [
                *(*AMARO, "up", "--data", str(data), "--port-base", str(base)),
                *("--edges", str(edges), *options),
            ],
            stdout=file,
            stderr=file,
        )
    running = RunningStack(DataDir(data), base, process, output)
    try:
        running.wait_ready()
    except BaseException:
        running.end(signal.SIGKILL)
        raise
    return running
