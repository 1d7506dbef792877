"""Keeps one worker of a node alive: starts it, watches it, starts the next one when it dies."""

from __future__ import annotations

import asyncio
import enum
import logging
import signal
import socket
import time
from asyncio.subprocess import Process
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from edge.control import Answers, ControlLine
from edge.handover import Handover, hand_over
from edge.listeners import bind_another, bound_to
from edge.restarts import Deaths
from edge.tls import Pem

HEEDED: Final = {"access": "ring", "steering": "steering", "routes": "routes"}
"""Questions that bring a worker a text to follow, and where a new worker is given it."""

log = logging.getLogger("edge.node")


class WorkerState(enum.Enum):
    """What a worker's place is doing, as `/status` says it."""

    STARTING = "starting"
    SERVING = "serving"
    BACKING_OFF = "backing-off"
    DRAINING = "draining"
    GONE = "gone"


class WorkerError(Exception):
    """A worker died before it ever served."""


class Keeper:
    """One place for a worker. The place outlives its workers, and so does its listening socket:
    connections that wait in its queue when a worker dies are served by the next one."""

    def __init__(
        self, given: Handover, command: Sequence[str], answers: Answers, name: str = ""
    ) -> None:
        self.worker_no = given.worker_no
        self.name = name or f"worker {given.worker_no}"
        self.state = WorkerState.STARTING
        self.restarts = 0
        self.serving = asyncio.Event()  # set while a worker answers
        self.gone = asyncio.Event()  # set while there is no process
        self._given = given
        self._command = command
        self._answers = answers
        self._settings = given.settings
        self._address = bound_to(given.listener)
        self._listener: socket.socket | None = given.listener
        self._process: Process | None = None
        self._line: ControlLine | None = None
        self._stopping = asyncio.Event()
        self._has_served = False
        self._is_told = False  # a worker has had its handover: what comes now it is asked about
        self._prepared: int | None = None  # epoch of the only policies that it can switch to

    @property
    def pid(self) -> int | None:
        """Return the process number of the worker, None while there is none."""
        return None if self._process is None else self._process.pid

    async def keep(self) -> None:
        """Keep a worker here until `stop`. Raises WorkerError when the first one never serves."""
        deaths = Deaths()
        try:
            while not self._stopping.is_set():
                born_mono = time.monotonic()
                status = await self._live()
                if self._stopping.is_set():
                    break
                if not self._has_served:
                    raise WorkerError(f"{self.name} ended with {_words(status)}")
                deaths = deaths.after(time.monotonic() - born_mono)
                await self._back_off(deaths.backoff_s(self._settings.limits.restart_backoff_max_s))
                log.warning("%s ended with %s, restarted", self.name, _words(status))
                self.restarts += 1
        finally:
            self.state = WorkerState.GONE
            self._close_listener()

    def stop(self) -> None:
        """Have the worker drain and keep none after it."""
        self._stopping.set()
        self._close_listener()
        if self._process is not None:
            self.state = WorkerState.DRAINING
            self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the worker at once."""
        self._signal(signal.SIGKILL)

    async def ask(self, question: str, detail: Any = None, *, limit_s: float | None) -> Any:
        """Return the worker's answer. Raises TimeoutError, or ConnectionError when it is gone."""
        if self._line is None:
            raise ConnectionResetError(f"{self.name} is not there")
        return await self._line.ask(question, detail, limit_s=limit_s)

    async def renew(self, pems: tuple[Pem, ...]) -> None:
        """Have the worker, and those after it, use these certificates; it may take them later."""
        self._given = replace(self._given, pems=pems)
        try:
            await self.ask("renew", pems, limit_s=self._settings.limits.control_s)
        except TimeoutError:
            log.warning("%s has not confirmed new certificates yet", self.name)
        except ConnectionError:
            pass  # the next one gets them when it starts

    async def heed(self, question: str, text: str) -> bool:
        """Have the worker, and those after it, follow a text of `HEEDED`; say whether none goes on
        without it."""
        self._given = replace(self._given, **{HEEDED[question]: text})  # type: ignore[arg-type]
        if not self._is_told:
            return True  # the next one begins with it
        try:
            async with asyncio.timeout(self._settings.limits.purge_ack_s):
                await first(self.serving, self.gone)
                await self.ask(question, text, limit_s=None)
        except TimeoutError:
            return False
        except ConnectionError:
            pass
        return True

    def may_follow(self, epoch: int) -> bool:
        """Say whether a switch to these policies leaves no worker here behind."""
        return not self._is_told or epoch == self._prepared

    async def prepare(self, rules: dict[str, Any]) -> None:
        """Have the worker make ready for policies; return also when it is gone instead."""
        await first(self.serving, self.gone)
        self._prepared = None  # a worker keeps one policy ready: it forgets another for this
        with suppress(ConnectionError):
            self._prepared = await self.ask("prepare", rules, limit_s=None)

    def give_policies(self, rules: dict[str, Any]) -> None:
        """Note that these policies are in force: workers after this one begin with them."""
        self._given = replace(self._given, policies=rules)
        self._prepared = None

    async def _live(self) -> int:
        """Start a worker and return its exit status once it has ended."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = await asyncio.create_subprocess_exec(
                    *self._command,
                    stdin=theirs.fileno(),
                    process_group=0,  # a Ctrl-C is the supervisor's to hand on
                )
            self.gone.clear()
            self._send_handover(ours)
            self._line = await ControlLine.open(ours, self._answers)
        except BaseException:
            ours.close()
            await self._bury()
            raise
        self.state = WorkerState.STARTING
        try:
            async with asyncio.TaskGroup() as tasks:
                talk = tasks.create_task(self._line.run())
                tasks.create_task(self._greet(self._line))
                status = await self._process.wait()
                self._line.close()
                talk.cancel()
            return status
        finally:
            await self._bury()

    def _send_handover(self, control: socket.socket) -> None:
        if self._listener is None:
            self._listener = bind_another(self._address, option="--listen")
        self._is_told, self._prepared = True, None
        with suppress(ConnectionError):  # it died already: its exit status tells
            hand_over(control, replace(self._given, listener=self._listener))

    async def _greet(self, line: ControlLine) -> None:
        """Wait for the worker's first answer, which means that it serves."""
        with suppress(ConnectionError):
            await line.ask("sync", limit_s=None)
            if not self._stopping.is_set():
                self.state = WorkerState.SERVING
            self._has_served = True
            self.serving.set()

    async def _bury(self) -> None:
        """Forget the worker; its slot is freed only once its process is surely gone."""
        self.serving.clear()
        self._is_told = False
        if self._line is not None:
            self._line.close()
            self._line = None
        if self._process is not None:
            self._signal(signal.SIGKILL)
            await self._process.wait()
            self._process = None
        self._given.page.detach(self.worker_no)
        self.gone.set()

    async def _back_off(self, wait_s: float) -> None:
        if not wait_s:
            return
        self.state = WorkerState.BACKING_OFF
        if self._settings.workers > 1:
            self._close_listener()  # the other workers get this one's share meanwhile
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._stopping.wait()

    def _close_listener(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)


async def first(*events: asyncio.Event) -> None:
    """Wait until one of these has happened."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def _words(status: int) -> str:
    return f"exit status {status}" if status >= 0 else f"signal {signal.Signals(-status).name}"
