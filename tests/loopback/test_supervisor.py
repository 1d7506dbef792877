"""The supervisor with real processes: order, restart, failure, and nothing left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from amaro.processes import Command, is_alive, tail
from amaro.services import ServicePlan
from amaro.stack import Service, StackError
from amaro.supervisor import Patience, Supervisor, how_it_ended, restart_delay_s

# A service that says "ready" over a Unix socket, in the words of Valkey.
SERVER = """
import signal, socket, sys
signal.signal(signal.SIGTERM, signal.SIG_DFL if sys.argv[2] == "mild" else signal.SIG_IGN)
server = socket.socket(socket.AF_UNIX)
try:
    server.bind(sys.argv[1])
except OSError:
    import os
    os.unlink(sys.argv[1])
    server.bind(sys.argv[1])
server.listen()
while True:
    peer, _ = server.accept()
    peer.recv(100)
    peer.sendall(b"+PONG\\r\\n")
    peer.close()
"""
QUICK = Patience(ready_max_s=180.0, restart_first_s=0.01, stop_grace_s=30.0)


def plan(
    tmp_path: Path, name: str, *, after: tuple[str, ...] = (), temper: str = "mild"
) -> ServicePlan:
    socket = tmp_path / f"{name}.sock"
    return ServicePlan(
        name=name,
        kind="test",
        command=Command(
            argv=(sys.executable, "-c", SERVER, str(socket), temper),
            environment={},
            log=tmp_path / f"{name}.log",
        ),
        url=f"unix://{socket}",
        health_url=f"unix://{socket}",
        after=after,
    )


@dataclass
class Diary:
    """A reporter that remembers, and wakes who waits for the next line."""

    lines: list[tuple[str, ...]] = field(default_factory=list)
    recorded: tuple[Service, ...] = ()
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def ready(self, plan: ServicePlan, took_s: float) -> None:
        self.write("ready", plan.name)

    def died(self, plan: ServicePlan, how: str, delay_s: float) -> None:
        self.write("died", plan.name, how)

    def back(self, plan: ServicePlan) -> None:
        self.write("back", plan.name)

    def write(self, *line: str) -> None:
        self.lines.append(line)
        self.news.set()

    def record(self, services: tuple[Service, ...]) -> None:
        self.recorded = services

    async def wait_for(self, line: tuple[str, ...]) -> None:
        async with asyncio.timeout(180):
            while line not in self.lines:
                self.news.clear()
                await self.news.wait()


async def test_starts_in_order_restarts_and_leaves_nothing(tmp_path: Path) -> None:
    plans = (plan(tmp_path, "first"), plan(tmp_path, "second", after=("first",)))
    diary, stopping = Diary(), asyncio.Event()
    supervisor = Supervisor(plans=plans, record=diary.record, report=diary, patience=QUICK)
    running = asyncio.create_task(supervisor.run(stopping, lambda: diary.write("started")))
    await diary.wait_for(("started",))
    assert diary.lines == [("ready", "first"), ("ready", "second"), ("started",)]

    victim = diary.recorded[0].pid
    assert victim is not None
    os.kill(victim, signal.SIGKILL)
    await diary.wait_for(("back", "first"))
    assert ("died", "first", "was killed by SIGKILL") in diary.lines

    pids = [service.pid for service in diary.recorded]
    assert victim not in pids
    stopping.set()
    await running
    assert not any(is_alive(pid) for pid in pids if pid is not None)


async def test_a_service_that_cannot_start_is_quoted_and_all_is_stopped(tmp_path: Path) -> None:
    broken = ServicePlan(
        name="broken",
        kind="test",
        command=Command(
            argv=(sys.executable, "-c", "import sys; sys.exit('the disk is full')"),
            environment={},
            log=tmp_path / "broken.log",
        ),
        url="unix:///nowhere",
        health_url="unix:///nowhere",
        after=("first",),
    )
    diary = Diary()
    supervisor = Supervisor(
        plans=(plan(tmp_path, "first"), broken),
        record=diary.record,
        report=diary,
        patience=QUICK,
    )
    with pytest.raises(StackError, match=r"(?s)broken ended with exit status 1.*the disk is full"):
        await supervisor.run(asyncio.Event(), lambda: diary.write("started"))
    assert ("started",) not in diary.lines
    assert not any(is_alive(service.pid) for service in diary.recorded if service.pid)


async def test_a_log_that_cannot_be_written_stops_nothing_that_runs(tmp_path: Path) -> None:
    diary, stopping = Diary(), asyncio.Event()
    only = plan(tmp_path, "only")
    supervisor = Supervisor(plans=(only,), record=diary.record, report=diary, patience=QUICK)
    running = asyncio.create_task(supervisor.run(stopping, lambda: diary.write("started")))
    await diary.wait_for(("started",))
    only.command.log.unlink()
    only.command.log.mkdir()
    pid = diary.recorded[0].pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await diary.wait_for(("died", "only", "cannot be started: Is a directory"))
    only.command.log.rmdir()
    await diary.wait_for(("back", "only"))
    stopping.set()
    await running


async def test_a_service_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    diary, stopping = Diary(), asyncio.Event()
    supervisor = Supervisor(
        plans=(plan(tmp_path, "deaf", temper="deaf"),),
        record=diary.record,
        report=diary,
        patience=Patience(ready_max_s=180.0, stop_grace_s=0.1),
    )
    running = asyncio.create_task(supervisor.run(stopping, lambda: diary.write("started")))
    await diary.wait_for(("started",))
    stopping.set()
    await running
    assert supervisor.processes["deaf"].returncode == -signal.SIGKILL


def test_delays_double_up_to_a_limit() -> None:
    patience = Patience(restart_first_s=0.2, restart_max_s=1.0)
    delays = [restart_delay_s(number, patience) for number in (0, 1, 2, 3, 4, 5_000)]
    assert delays == [0.2, 0.2, 0.4, 0.8, 1.0, 1.0]


def test_ends_are_described() -> None:
    assert how_it_ended(-9) == "was killed by SIGKILL"
    assert how_it_ended(3) == "ended with exit status 3"


def test_a_tail_is_the_end_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert tail(log, lines=2) == ""
    log.write_text("x" * 100_000 + "\none\ntwo\n")
    assert tail(log, lines=2) == "one\ntwo"
