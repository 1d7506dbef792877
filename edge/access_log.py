"""The access log of one worker: lines are kept in a list, and written by a thread in batches.

A hit that is logged costs the formatting of its line. All workers append to one file; whoever
rotates it renames it, and the next batch goes into a new one.
"""

import asyncio
import os
import select
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
LINES_MAX: Final = 100_000  # that wait to be written; more are dropped and counted,
BYTES_MAX: Final = 24 << 20  # as is, to some 512 lines, what is more than this: players write long
STOP_S: Final = 2.0  # at the end, for one who does not take what is written
_HIT: Final = b'%b%03dZ",%b"path":"%b","status":%d,"bytes":%d,"ttl":%d,' + answered(
    "hit", "fresh", "memory"
)
_ATOMIC_BYTES: Final = 4096  # PIPE_BUF: pieces of a pipe that no other writer interrupts
_LOOK_EVERY_MS: Final = 50  # whether to wait still for the reader of a pipe


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
        self._measured = 0  # lines,
        self._measured_bytes = 0  # and what they take: while they are many
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
        """Write the rest, and close the file; give up what a reader does not take in time."""
        if self._timer is not None:
            self._timer.cancel()
        giving_up = self._loop.call_later(STOP_S, self._file.give_up)
        await self._written_out()
        self._hand_over()
        await self._written_out()
        giving_up.cancel()
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
        lines = self._lines  # the disk is slow: they wait
        self._measured_bytes += sum(map(len, lines[self._measured :]))
        self._measured = len(lines)
        if len(lines) < LINES_MAX and self._measured_bytes < BYTES_MAX:
            self._enough = min(LINES_MAX, len(lines) + BATCH_LINES)
            return True
        self._counters.log_dropped += 1
        return False

    def _hand_over(self) -> None:
        if not self._lines:
            return
        lines, self._lines = self._lines, []
        self._enough, self._measured, self._measured_bytes = BATCH_LINES, 0, 0
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
        self._is_given_up = False

    def write(self, lines: list[bytes]) -> bool:
        """Append the lines; whether that worked. A file that was renamed gets a successor."""
        try:
            if self._path is not None and monotonic() - self._looked_mono >= LOOK_EVERY_S:
                self._looked_mono = monotonic()
                if self._was_renamed(self._path):
                    os.close(self._fd)
                    self._fd = _opened(self._path)
            if self._is_regular:
                _write_all(self._fd, b"".join(lines))
                return True
            return all(map(self._pass_on, _pieces(lines)))
        except OSError:
            return False

    def give_up(self) -> None:
        """Wait no longer for one who does not read, now or later."""
        self._is_given_up = True

    def _pass_on(self, piece: bytes) -> bool:
        """Write to a pipe as it is read, in steps for which there is room; whether it was."""
        room = select.poll()
        room.register(self._fd, select.POLLOUT)
        view = memoryview(piece)
        while view:
            while not room.poll(_LOOK_EVERY_MS):
                if self._is_given_up:
                    return False
            view = view[os.write(self._fd, view[:_ATOMIC_BYTES]) :]
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
