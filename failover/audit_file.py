"""The audit log on disk: a line is there, whole, before anything is said of it."""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final

from failover.audit import LINE_BYTES_MAX, Break, Link, broken, entry, read_line

TORN: Final = {"happening": "log", "text": "a line before this one was not written to its end"}


log = logging.getLogger("failover.audit")


class AuditError(Exception):
    """The log cannot be written or read; the message names it and says why."""


class AuditFile:
    """One member's log; one process writes it."""

    def __init__(self, path: Path) -> None:
        """Open or begin a log; a line that a crash cut off is set aside. Raises AuditError."""
        self._path = path
        self.lost = 0  # entries that could not be written
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            torn = _cut_torn_line(path)
            self._end = _end_of(path)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._descriptor = os.open(path, flags, 0o600)
        except OSError as error:
            raise AuditError(f"{path}: {error.strerror}") from error
        self._writing = threading.Lock()  # while it is held, the file may end within a line
        if torn:
            self.append(TORN | {"torn": torn.decode(errors="replace")[:400]})

    def append(self, what: Mapping[str, Any]) -> dict[str, Any]:
        """Write an entry and return it as it stands there. Raises AuditError."""
        line, end = entry(self._end, time.time(), what)
        if len(line) > LINE_BYTES_MAX:
            raise AuditError(f"{self._path}: an entry of {len(line)} bytes")
        try:
            with self._writing:
                self._write(line)
        except OSError as error:
            raise AuditError(f"{self._path}: {error.strerror}") from error
        self._end = end
        said = read_line(line)
        assert said is not None
        return said

    def _write(self, line: bytes) -> None:
        begins_at = os.fstat(self._descriptor).st_size
        try:
            if os.write(self._descriptor, line) != len(line):
                raise OSError(errno.ENOSPC, "no space for a whole line")
            os.fsync(self._descriptor)
        except OSError:  # the next line must not go on where this one ended
            os.ftruncate(self._descriptor, begins_at)
            raise

    def record(self, what: Mapping[str, Any]) -> None:
        """Write an entry, or say in the process's log that it could not be written.

        What is done at night is not left undone because a disk is full.
        """
        try:
            self.append(what)
        except AuditError as error:
            self.lost += 1
            log.error("not recorded: %s: %s", error, what.get("text", ""))

    def verify(self) -> tuple[Link, Break | None]:
        """Follow the chain from its beginning. A thread may do so while lines are added."""
        return broken(_lines(self._path, self._size()))

    def last(self, limit: int) -> list[dict[str, Any]]:
        """The newest entries, oldest first; damaged lines are left out. As `verify` in threads."""
        newest = map(read_line, _last_lines_first(self._path, self._size()))
        return [*islice((each for each in newest if each is not None), limit)][::-1]

    def _size(self) -> int:
        with self._writing:
            return os.fstat(self._descriptor).st_size

    def close(self) -> None:
        """Write no more."""
        os.close(self._descriptor)


def _end_of(path: Path) -> Link:
    """The chain's end as the last entry says; it need not hold before that."""
    size = path.stat().st_size if path.exists() else 0
    for said in map(read_line, _last_lines_first(path, size) if size else ()):
        if said is not None and isinstance(said.get("digest"), str):
            return Link(int(said["number"]), said["digest"])
    return Link()


def _lines(path: Path, size: int) -> Iterator[bytes]:
    """The lines of a file's first `size` bytes."""
    with path.open("rb") as file:
        while line := file.readline(min(LINE_BYTES_MAX, size)):
            size -= len(line)
            yield line


def _last_lines_first(path: Path, size: int) -> Iterator[bytes]:
    """The lines of a file's first `size` bytes; what is too long for an entry is cut short."""
    tail = b""
    with path.open("rb") as file:
        while size:
            at = max(0, size - LINE_BYTES_MAX)
            file.seek(at)
            first, *whole = (file.read(size - at) + tail).split(b"\n")
            yield from (line + b"\n" for line in reversed(whole[:-1]))
            tail = (first + b"\n" if whole else first)[-LINE_BYTES_MAX:]
            size = at
    if tail:
        yield tail


def _cut_torn_line(path: Path) -> bytes:
    """Take off what follows the last newline; return it."""
    if not path.exists():
        return b""
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        at = max(0, size - LINE_BYTES_MAX)
        file.seek(at)
        tail = file.read()
        torn = tail[tail.rfind(b"\n") + 1 :]
        if torn:
            file.truncate(size - len(torn))
    return torn
