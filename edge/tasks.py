"""Background work that has an owner: it is waited for, and what breaks it is said."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger("edge.tasks")


class Tasks:
    """The tasks of a worker that outlive the request which began them."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work`; a defect in it is logged and ends nothing else."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)

    async def close(self) -> None:
        """Cancel what runs and wait until it has ended."""
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a background task broke", exc_info=error)


def is_cancelled() -> bool:
    """Whether this task was cancelled, also where a library took that for a time-out."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
