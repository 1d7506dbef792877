"""Start an edge node as an operator would and look at it from outside."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import psutil

from edge.settings import Address, EdgeSettings

DEADLINE_S = 180.0
TOKEN = "a-token-for-tests"
ANYWHERE = Address("127.0.0.1", 0)
NO_TLS = False  # else each client reads all certificates first: 28 ms of CPU


def settings_for(origin: str = "http://127.0.0.1:9", **others: Any) -> EdgeSettings:
    told = {"listen": ANYWHERE, "admin": ANYWHERE, "token": TOKEN, "origin": origin}
    return EdgeSettings(**(told | others))


def eventually(claim: Callable[[], Any], what: str = "it") -> Any:
    """Return the first true answer of `claim`, asked again and again until the deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not (answer := claim()):
        assert time.monotonic() < deadline, f"{what} did not happen in {DEADLINE_S} s"
        time.sleep(0.01)
    return answer


@dataclass(kw_only=True)
class RunningNode:
    process: subprocess.Popen[str]
    settings: EdgeSettings

    @property
    def url(self) -> str:
        return f"http://{self.settings.listen}"

    @property
    def admin_url(self) -> str:
        return f"http://{self.settings.admin}"

    def get(self, path: str = "/", **options: Any) -> httpx.Response:
        """Ask on a connection of its own, so that any worker may get it."""
        told = {"timeout": DEADLINE_S, "trust_env": False, "verify": NO_TLS}
        return httpx.get(self.url + path, **(told | options))

    def admin(
        self, method: str, path: str, *, token: str | None = TOKEN, **options: Any
    ) -> httpx.Response:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx.request(
            method,
            self.admin_url + path,
            headers=headers,
            timeout=DEADLINE_S,
            trust_env=False,
            verify=NO_TLS,
            **options,
        )

    def purge(self, **order: Any) -> httpx.Response:
        return self.admin("POST", "/purge", json=order)

    def status(self) -> dict[str, Any]:
        return self.admin("GET", "/status").json()

    def worker_pids(self) -> list[int]:
        return [worker["pid"] for worker in self.status()["workers"]]

    def processes(self) -> list[psutil.Process]:
        """Return the supervisor and its workers."""
        supervisor = psutil.Process(self.process.pid)
        return [supervisor, *supervisor.children(recursive=True)]

    def kill(self) -> None:
        """End it as a crash would: supervisor and workers at once."""
        for process in self.processes():
            with contextlib.suppress(ProcessLookupError):  # workers end with their supervisor
                os.kill(process.pid, signal.SIGKILL)
        self.process.wait(DEADLINE_S)

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE_S)


def spawn_toy(settings: EdgeSettings, *worker_args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.toy_node", settings.to_json(), *worker_args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def toy_node(settings: EdgeSettings | None = None, *worker_args: str) -> Iterator[RunningNode]:
    process = spawn_toy(settings or settings_for(), *worker_args)
    with ending(process):
        yield RunningNode(process=process, settings=EdgeSettings.from_json(first_line(process)))


def first_line(process: subprocess.Popen[str]) -> str:
    """Return the first line of the process's output, or fail with what it complained of."""
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], DEADLINE_S)
    line = process.stdout.readline() if readable else ""
    if not line:
        process.kill()
        raise AssertionError(f"no start: {process.communicate()}")
    return line


@contextmanager
def ending(process: subprocess.Popen[str]) -> Iterator[None]:
    """End the process with the block, and see to it that its children end too."""
    children: list[psutil.Process] = []
    try:
        yield
        with contextlib.suppress(psutil.NoSuchProcess):
            children = psutil.Process(process.pid).children(recursive=True)
    finally:
        process.kill()
        process.communicate()
    await_end(children)


def await_end(processes: Iterable[psutil.Process]) -> None:
    """Wait until the processes have ended; a zombie that nobody reaped has."""

    def ended(process: psutil.Process) -> bool:
        try:
            return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    eventually(lambda: all(map(ended, processes)), f"the end of {processes}")


def decoded(response: httpx.Response) -> Any:
    response.raise_for_status()
    return json.loads(response.content)


@contextmanager
def edge_node(
    origin: str,
    *options: str,
    workers: int = 1,
    memory: str = "64MiB",
    listen: Address = ANYWHERE,
    **environment: str,
) -> Iterator[RunningNode]:
    """Run `amaro edge serve` in front of an origin."""
    argv = ["--listen", str(listen), "--admin", str(ANYWHERE), "--origin", origin]
    more = ["--workers", str(workers), "--memory", memory, "--region", "north", *options]
    process = subprocess.Popen(
        [sys.executable, "-m", "amaro", "edge", "serve", *argv, *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"AMARO_ADMIN_TOKEN": TOKEN, "PYTHONUNBUFFERED": "1"} | environment,
    )
    with ending(process):
        first_line_said = first_line(process)
        assert process.stdout is not None
        listen, admin = (
            Address("127.0.0.1", int(line.split("127.0.0.1:")[1].split()[0]))
            for line in (first_line_said, process.stdout.readline())
        )
        settings = settings_for(origin, listen=listen, admin=admin, workers=workers)
        yield RunningNode(process=process, settings=settings)
