"""The access log of one worker: lines are kept in a list, and written by a thread in batches.

A hit that is logged costs the formatting of its line. All workers append to one file; whoever
rotates it renames it, and the next batch goes into a new one.
"""

import asyncio
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from time import monotonic, time
from typing import Final

from edge.counters import Counters
from edge.log_lines import Line, answered, opening, path_text, rendered
from edge.settings import EdgeSettings

STDOUT: Final = "-"
WRITE_EVERY_S: Final = 0.1
LOOK_EVERY_S: Final = 0.5  # whether the file was renamed
BATCH_LINES: Final = 512  # written at once: while a thread writes many, the loop waits for the core
LINES_MAX: Final = 100_000  # that wait to be written; more are dropped and counted
_HIT: Final = b'%b%03dZ",%b"path":"%b","status":%d,"bytes":%d,"ttl":%d,' + answered(
    "hit", "fresh", "memory"
)
_ATOMIC_BYTES: Final = 4096  # PIPE_BUF: pieces of a pipe that no other writer interrupts


class AccessLog:
    """Takes lines from one loop. Call `start` on it, and `stop` at its end."""

    def __init__(
        self, path: str, every: int, counters: Counters, clock: Callable[[], float] = time
    ) -> None:
        """One of `every` answers is logged, in the file `path` or on standard output for `-`."""
        self._counters = counters
        self._every = every
        self._left = 1
        self._lines: list[bytes] = []
        self._enough = BATCH_LINES  # lines, until something is done about them
        self._clock = clock
        self._offset_s = clock() - monotonic()  # from monotonic to wall time
        self._second = 0
        self._opening = b""
        self._file = _File(path)
        self._pool = ThreadPoolExecutor(1, "access-log")
        self._writing: asyncio.Future[bool] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop

    def hit(  # noqa: PLR0913, PLR0917 an object to hold them would cost as much as the line
        self, now_mono: float, asked: bytes, target: bytes, status: int, size: int, ttl_s: int
    ) -> None:
        """Log a plain hit; `asked` is what `asked_by` makes of who asks."""
        self._left -= 1
        if self._left:
            return
        self._left = self._every
        wall = now_mono + self._offset_s
        second = int(wall)
        if second != self._second:
            self._second, self._opening = second, opening(second)
        if len(self._lines) < self._enough or self._has_room():
            self._lines.append(
                _HIT
                % (
                    self._opening,
                    int((wall - second) * 1000.0),
                    asked,
                    path_text(target),
                    status,
                    size,
                    ttl_s,
                )
            )

    def answer(self, line: Line) -> None:
        """Log any other answer."""
        self._left -= 1
        if self._left:
            return
        self._left = self._every
        if len(self._lines) < self._enough or self._has_room():
            self._lines.append(rendered(line))

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Write what is there, again and again."""
        self._loop = loop
        self._timer = loop.call_later(WRITE_EVERY_S, self._write)

    async def stop(self) -> None:
        """Write the rest, and close the file."""
        if self._timer is not None:
            self._timer.cancel()
        await self._written_out()
        self._hand_over()
        await self._written_out()
        self._pool.shutdown()
        self._file.close()

    async def _written_out(self) -> None:
        while self._writing is not None:
            await asyncio.wait([self._writing])

    def _write(self) -> None:
        self._timer = self._loop.call_later(WRITE_EVERY_S, self._write)
        self._offset_s = self._clock() - monotonic()
        if self._writing is None:
            self._hand_over()

    def _has_room(self) -> bool:
        if self._writing is None:
            self._hand_over()
            return True
        self._enough = LINES_MAX  # the disk is slow: lines wait
        if len(self._lines) < LINES_MAX:
            return True
        self._counters.log_dropped += 1
        return False

    def _hand_over(self) -> None:
        if not self._lines:
            return
        lines, self._lines = self._lines, []
        self._enough = BATCH_LINES
        self._writing = self._loop.run_in_executor(self._pool, self._file.write, lines)
        self._writing.add_done_callback(lambda done: self._written(len(lines), done))

    def _written(self, lines: int, done: asyncio.Future[bool]) -> None:
        self._writing = None
        if done.cancelled() or not done.result():
            self._counters.log_dropped += lines
        if len(self._lines) >= BATCH_LINES:
            self._hand_over()


def access_log(settings: EdgeSettings, counters: Counters) -> AccessLog | None:
    """The log that the settings ask for, if they do."""
    if not settings.access_log:
        return None
    return AccessLog(settings.access_log, settings.access_log_sample, counters)


class _File:
    """Where the lines go. Only the writing thread calls `write`."""

    def __init__(self, path: str) -> None:
        self._path = None if path == STDOUT else path
        self._fd = os.dup(1) if self._path is None else _opened(path)
        self._looked_mono = monotonic()
        self._is_regular = stat.S_ISREG(os.fstat(self._fd).st_mode)

    def write(self, lines: list[bytes]) -> bool:
        """Append the lines; whether that worked. A file that was renamed gets a successor."""
        try:
            if self._path is not None and monotonic() - self._looked_mono >= LOOK_EVERY_S:
                self._looked_mono = monotonic()
                if self._was_renamed(self._path):
                    os.close(self._fd)
                    self._fd = _opened(self._path)
            for piece in [b"".join(lines)] if self._is_regular else _pieces(lines):
                _write_all(self._fd, piece)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Close it."""
        with suppress(OSError):
            os.close(self._fd)

    def _was_renamed(self, path: str) -> bool:
        try:
            named, ours = os.stat(path), os.fstat(self._fd)  # noqa: PTH116
        except FileNotFoundError:
            return True
        return (named.st_dev, named.st_ino) != (ours.st_dev, ours.st_ino)


def _opened(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _pieces(lines: list[bytes]) -> list[bytes]:
    """The lines in pieces of a few, none of which another worker's write gets between."""
    pieces, piece, size = [], list[bytes](), 0
    for line in lines:
        if size + len(line) > _ATOMIC_BYTES and piece:
            pieces.append(b"".join(piece))
            piece, size = [], 0
        piece.append(line)
        size += len(line)
    return [*pieces, b"".join(piece)]
