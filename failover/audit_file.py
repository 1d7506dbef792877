"""The audit log on disk: a line is there, whole, before anything is said of it."""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from failover.audit import LINE_BYTES_MAX, Break, Link, broken, entry, read_line

TORN: Final = {"event": "log", "text": "a line before this one was not written to its end"}


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
            self._end = self._last_link()
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._descriptor = os.open(path, flags, 0o600)
        except OSError as error:
            raise AuditError(f"{path}: {error.strerror}") from error
        if torn:
            self.append(TORN | {"torn": torn.decode(errors="replace")[:400]})

    def append(self, what: Mapping[str, Any]) -> dict[str, Any]:
        """Write an entry and return it as it stands there. Raises AuditError."""
        line, end = entry(self._end, time.time(), what)
        if len(line) > LINE_BYTES_MAX:
            raise AuditError(f"{self._path}: an entry of {len(line)} bytes")
        try:
            begins_at = os.fstat(self._descriptor).st_size
            try:
                if os.write(self._descriptor, line) != len(line):
                    raise OSError(errno.ENOSPC, "no space for a whole line")
                os.fsync(self._descriptor)
            except OSError:  # the next line must not go on where this one ended
                os.ftruncate(self._descriptor, begins_at)
                raise
        except OSError as error:
            raise AuditError(f"{self._path}: {error.strerror}") from error
        self._end = end
        said = read_line(line)
        assert said is not None
        return said

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
        """Follow the chain from its beginning."""
        return broken(self._lines())

    def last(self, limit: int) -> list[dict[str, Any]]:
        """The newest entries, oldest first; damaged lines are left out."""
        said = [each for line in self._lines() if (each := read_line(line)) is not None]
        return said[-limit:]

    def close(self) -> None:
        """Write no more."""
        os.close(self._descriptor)

    def _lines(self) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            while line := file.readline(LINE_BYTES_MAX):
                yield line

    def _last_link(self) -> Link:
        """The chain's end as the last line says; it need not hold before that."""
        last = Link()
        if self._path.exists():
            for line in self._lines():
                said = read_line(line)
                if said is not None and isinstance(said.get("digest"), str):
                    last = Link(int(said["number"]), said["digest"])
        return last


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
