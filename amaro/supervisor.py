"""Keep the services of a stack running: start in order, restart with back-off, stop for certain."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from amaro.health import is_ready
from amaro.processes import spawn, stop, tail
from amaro.stack import Service, Stack, StackError

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from amaro.services import ServicePlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long the supervisor waits, and for what."""

    ready_max_s: float = 120.0  # from a service's start until it says that it is ready
    poll_s: float = 0.1  # between two questions to a starting service
    restart_first_s: float = 0.2  # before the first restart; doubles with each one
    restart_max_s: float = 10.0
    steady_s: float = 30.0  # a service that ran so long starts again with a short delay
    stop_grace_s: float = 8.0  # between SIGTERM and SIGKILL


class Reporter(Protocol):
    """What a person hears of the supervisor's work."""

    def ready(self, plan: ServicePlan, took_s: float) -> None:
        """A service became ready for the first time, `took_s` after it was started."""

    def died(self, plan: ServicePlan, how: str, delay_s: float) -> None:
        """A service ended by itself and is started again in `delay_s`."""

    def back(self, plan: ServicePlan) -> None:
        """A service that had died is ready again."""


@dataclass(slots=True, kw_only=True)
class Supervisor:
    """Runs the planned services until it is told to stop; one task a service."""

    plans: Sequence[ServicePlan]
    record: Callable[[tuple[Service, ...]], None]  # called when a process number changes
    report: Reporter
    patience: Patience = field(default_factory=Patience)
    processes: dict[str, Process] = field(default_factory=dict)

    async def run(self, stopping: asyncio.Event, started: Callable[[], None]) -> None:
        """Start everything, call `started`, supervise until `stopping`; raise StackError if a
        service does not become ready the first time. On return nothing runs any more."""
        ready = {plan.name: asyncio.Event() for plan in self.plans}
        try:
            async with asyncio.TaskGroup() as tasks:
                keepers = [tasks.create_task(self._keep(plan, ready)) for plan in self.plans]
                waiting = tasks.create_task(self._all_ready(ready, started))
                await stopping.wait()
                for task in (*keepers, waiting):
                    task.cancel()
        except* StackError as failures:
            raise failures.exceptions[0] from None
        finally:
            await asyncio.shield(self._stop_all())

    def hurry(self) -> None:
        """Kill what still runs; for the person who presses Ctrl-C twice."""
        for process in self.processes.values():
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)

    async def _all_ready(
        self, ready: dict[str, asyncio.Event], started: Callable[[], None]
    ) -> None:
        for event in ready.values():
            await event.wait()
        started()

    async def _keep(self, plan: ServicePlan, ready: dict[str, asyncio.Event]) -> None:
        """Start one service, and again whenever it ends."""
        for name in plan.after:
            await ready[name].wait()
        clock = asyncio.get_running_loop().time
        restarts = 0
        while True:
            began = clock()
            how = await self._live(plan, ready[plan.name])
            restarts = 0 if clock() - began > self.patience.steady_s else restarts + 1
            delay_s = restart_delay_s(restarts, self.patience)
            self.report.died(plan, how, delay_s)
            await asyncio.sleep(delay_s)

    async def _live(self, plan: ServicePlan, ready: asyncio.Event) -> str:
        """Start the service and return how it ended; StackError when it never was ready."""
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            process = await self._start(plan)
        except OSError as error:
            how = f"cannot be started: {error.strerror}"
            if not ready.is_set():
                raise StackError(f"{plan.name} {how}.") from error
            return how
        if await self._becomes_ready(plan, process):
            if ready.is_set():
                self.report.back(plan)
            else:
                self.report.ready(plan, clock() - began)
            ready.set()
            return how_it_ended(await process.wait())
        if not ready.is_set():
            raise StackError(_why_not_ready(plan, process, self.patience))
        if process.returncode is not None:
            return how_it_ended(process.returncode)
        await stop(process, grace_s=self.patience.stop_grace_s)
        return "did not become ready again"

    async def _start(self, plan: ServicePlan) -> Process:
        process = await spawn(plan.command)
        self.processes[plan.name] = process
        running = {name: process.pid for name, process in self.processes.items()}
        self.record(tuple(as_service(plan, running.get(plan.name)) for plan in self.plans))
        return process

    async def _becomes_ready(self, plan: ServicePlan, process: Process) -> bool:
        """Wait until the service is ready; False when it ended or took too long."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self.patience.ready_max_s
        while process.returncode is None and clock() < deadline:
            if await is_ready(plan.health_url):
                return True
            await asyncio.sleep(self.patience.poll_s)
        return False

    async def _stop_all(self) -> None:
        """End every process, those that others need last."""
        needed = {name for plan in self.plans for name in plan.after}
        for names in (self.processes.keys() - needed, self.processes.keys() & needed):
            grace_s = self.patience.stop_grace_s
            await asyncio.gather(*(stop(self.processes[name], grace_s=grace_s) for name in names))


def restart_delay_s(restarts: int, patience: Patience) -> float:
    """Return how long to wait before the restart with this number, in seconds."""
    doublings = min(max(restarts - 1, 0), 20)
    return min(patience.restart_first_s * 2.0**doublings, patience.restart_max_s)


def how_it_ended(status: int) -> str:
    """Describe an exit status as a person says it."""
    if status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return f"ended with exit status {status}"


def as_service(plan: ServicePlan, pid: int | None) -> Service:
    """Return what `run/stack.json` says of a service."""
    return Service(
        name=plan.name,
        kind=plan.kind,
        url=plan.url,
        health_url=plan.health_url,
        pid=pid,
        admin_url=plan.admin_url,
        region=plan.region,
    )


def stack_of(services: tuple[Service, ...], token: str, watched: Path | None = None) -> Stack:
    """Return the stack that this process runs; `watched` is what failover looks after."""
    files = str(watched.absolute()) if watched else ""
    return Stack(pid=os.getpid(), token=token, services=services, watched=files)


def _why_not_ready(plan: ServicePlan, process: Process, patience: Patience) -> str:
    if process.returncode is None:
        what = f"{plan.name} was not ready within {patience.ready_max_s:.0f} s"
    else:
        what = f"{plan.name} {how_it_ended(process.returncode)} before it was ready"
    log = tail(plan.command.log, lines=20)
    said = f"Its last words, from {plan.command.log}:\n{log}" if log else "It said nothing."
    return f"{what}. {said}"
