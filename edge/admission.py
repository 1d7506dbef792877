"""What may begin that takes steps: as the worker's load and the shares of titles allow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from random import random
from time import monotonic, thread_time
from typing import Any, Final

from edge.ask import Ask
from edge.errors import RefusedError
from edge.fair_share import FairShare, title_of
from edge.settings import Limits
from edge.shedding import Load, Shedder, priority_of
from edge.tasks import Tasks

LOOK_EVERY_S: Final = 0.1
FILLS_RETRY_S: Final = 1


class Admission:
    """One per worker: asked before a fill, or a request that is passed on, begins."""

    def __init__(self, tasks: Tasks, limits: Limits) -> None:
        self.shedder = Shedder()
        self.fills = FairShare(limits.fills_max)
        self._tasks = tasks
        self._limits = limits
        self._waiting: Callable[[], int] = lambda: 0
        self._timer: asyncio.TimerHandle | None = None
        self._due = self._worked_s = self._looked_s = 0.0

    def start(self, loop: asyncio.AbstractEventLoop, waiting: Callable[[], int]) -> None:
        """Look at the load of this loop until `stop`; `waiting` says how many wait for fills."""
        self._waiting = waiting
        self._looked_s, self._worked_s = loop.time(), thread_time()
        self._due = self._looked_s + LOOK_EVERY_S
        self._timer = loop.call_at(self._due, self._look, loop)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def check(self, ask: Ask) -> None:
        """Raise RefusedError when a request is worth too little for now.

        What peers ask for was admitted where a player asked.
        """
        if not self.shedder.is_shedding or ask.asked.direct or ask.asked.only_held:
            return
        priority, draw = priority_of(ask.policy.priority, ask.request.method), random()
        if not self.shedder.admits(priority, draw):
            name = f"shed-{priority.name.lower()}"
            raise RefusedError(name, retry_after_s=self.shedder.retry_after_s(priority, draw))

    def may_fill(self, key: bytes) -> bool:
        """Whether another fill of a title may begin, whatever it is worth."""
        busy = self.shedder.is_shedding or len(self._tasks) >= self._limits.fills_max
        return not busy and self.fills.admits(title_of(key))

    def check_fill(self, ask: Ask) -> None:
        """Raise RefusedError when it may not."""
        self.check(ask)
        if len(self._tasks) >= self._limits.fills_max:
            raise RefusedError("fills-max", retry_after_s=FILLS_RETRY_S)
        if not self.fills.admits(title_of(ask.key)):
            raise RefusedError("title-fills", retry_after_s=FILLS_RETRY_S)

    def start_fill(self, key: bytes, work: Coroutine[Any, Any, None]) -> None:
        """Begin a fill, which counts as its title's until it has ended."""
        title = title_of(key)
        self.fills.enter(title)
        self._tasks.start(self._counted(title, work))

    async def _counted(self, title: bytes, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        finally:
            self.fills.leave(title)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now_s, worked_s = loop.time(), thread_time()
        work_s, past_s = worked_s - self._worked_s, now_s - self._looked_s
        share = max(
            self.fills.taken / max(1, self.fills.places),
            self._waiting() / max(1, self._limits.waiters_max),
        )
        # what is late because others have the core is no work of ours that could be shed
        late_s = min(max(0.0, now_s - self._due), work_s)
        load = Load(late_s=late_s, busy=min(1.0, work_s / max(past_s, 1e-9)), fills=share)
        self.shedder.see(load, monotonic())
        self._looked_s, self._worked_s, self._due = now_s, worked_s, now_s + LOOK_EVERY_S
        self._timer = loop.call_at(self._due, self._look, loop)
