"""A few threads for file operations that may block, never waited for longer than the caller bears.

Not a ThreadPoolExecutor: that waits at exit for a thread which hangs in the kernel.
"""

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Any, Final

from edge.errors import StorageError

WAITING_MAX: Final = 64  # operations that no thread has begun


class BusyError(StorageError):
    """The disk takes too long, or has too much to do already."""


class _Job:
    """One operation, and who waits for it."""

    __slots__ = ("begun", "dispose", "done", "has_ended", "work")

    def __init__(
        self,
        work: Callable[[], Any],
        done: asyncio.Future[Any] | None,
        dispose: Callable[[Any], None],
    ) -> None:
        self.work = work
        self.done = done  # cancelled when nobody waits any more; None when nobody ever did
        self.dispose = dispose
        self.begun = False
        self.has_ended = False

    @property
    def abandoned(self) -> bool:
        """Whether who asked for it has gone."""
        return self.done is not None and self.done.cancelled()


class DiskPool:
    """Runs file operations in threads; used from one loop only."""

    def __init__(self, threads: int, name: str) -> None:
        self._threads = threads
        self._name = name
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None  # None until it is first used
        self._late: set[_Job] = set()  # they run, and took too long for who asked

    @property
    def is_stuck(self) -> bool:
        """Whether every thread is busy with what took too long already."""
        return len(self._late) >= self._threads

    async def run(
        self,
        work: Callable[[], Any],
        *,
        limit_s: float | None,
        dispose: Callable[[Any], None] = lambda _: None,
    ) -> Any:
        """What `work` returns, or raises: OSError, StorageError, ValueError.

        Raises BusyError after `limit_s`, or at once when waiting is hopeless. A result that comes
        too late goes to `dispose`, in a thread.
        """
        if self.is_stuck or self._jobs.qsize() >= WAITING_MAX:
            raise BusyError("busy")
        done = self._running_loop().create_future()
        job = _Job(work, done, dispose)
        self._jobs.put(job)
        try:
            async with asyncio.timeout(limit_s):
                return await done
        except TimeoutError:
            raise BusyError("slow") from None
        finally:
            # the loop may have heard of its end already, in the same turn as of the limit's
            if job.abandoned and job.begun and not job.has_ended:
                self._late.add(job)

    def post(self, work: Callable[[], Any]) -> None:
        """Have `work` done some time; nobody hears of what becomes of it."""
        self._running_loop()
        self._jobs.put(_Job(work, None, lambda _: None))

    def close(self) -> None:
        """Let the threads end when they are done; one that hangs ends with the process."""
        if self._loop is not None:
            for _ in range(self._threads):
                self._jobs.put(None)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            for number in range(self._threads):
                name = f"{self._name}-{number}"
                threading.Thread(target=self._work, name=name, daemon=True).start()
        return self._loop

    # in the threads

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job.begun = True
            if job.abandoned:  # it waited too long to begin
                continue
            try:
                result, error = job.work(), None
            except (OSError, StorageError, ValueError) as raised:
                result, error = None, raised
            if not self._tell(job, result, error):
                return
            del job, result, error  # while this waits it must not hold what it read

    def _tell(self, job: _Job, result: Any, error: Exception | None) -> bool:
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(self._finish, job, result, error)
        except RuntimeError:  # the loop is over
            return False
        return True

    # in the loop

    def _finish(self, job: _Job, result: Any, error: Exception | None) -> None:
        job.has_ended = True
        self._late.discard(job)
        if job.done is None:
            return
        if job.done.cancelled():
            if error is None:
                self.post(partial(job.dispose, result))
        elif error is None:
            job.done.set_result(result)
        else:
            job.done.set_exception(error)
