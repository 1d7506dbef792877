"""The files that uploads grow in: locked by their writer, on disk before anything is said."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType


class BodyFile:
    """One upload's file, open for the only writer that it has at a time, across processes."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def size(self) -> int:
        """Return the file's length in bytes."""
        return os.fstat(self._descriptor).st_size

    def append(self, pieces: Sequence[bytes]) -> int:
        """Write all pieces at the end; return how many bytes that were. Raises OSError (ENOSPC)."""
        joined = b"".join(pieces)
        view = memoryview(joined)
        while view:
            view = view[os.write(self._descriptor, view) :]
        return len(joined)

    def truncate(self, size: int) -> None:
        """Drop everything beyond `size`; what follows is written there."""
        os.ftruncate(self._descriptor, size)

    def sync(self) -> None:
        """Return once every byte is on disk."""
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Let go of the file and its lock."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Bodies:
    """The directory of uploads in progress."""

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(parents=True, exist_ok=True)

    def path(self, asset_id: str) -> Path:
        """Return where an upload's bytes are."""
        return self._root / asset_id

    def create(self, asset_id: str) -> None:
        """Make the empty file and its directory entry durable."""
        os.close(os.open(self.path(asset_id), os.O_WRONLY | os.O_CREAT, 0o600))
        directory = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def lock(self, asset_id: str) -> BodyFile | None:
        """Return the file, None while somebody else writes it. Raises FileNotFoundError."""
        descriptor = os.open(self.path(asset_id), os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return BodyFile(descriptor)

    def remove(self, asset_id: str) -> None:
        """Delete an upload's bytes; gone already is fine."""
        self.path(asset_id).unlink(missing_ok=True)

    def strays(self, *, older_than_wall: float) -> list[str]:
        """Return names in the directory that nobody touched since `older_than_wall`."""
        found = []
        with os.scandir(self._root) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # it was handed over meanwhile
                    if entry.stat().st_mtime < older_than_wall:
                        found.append(entry.name)
        return found

    def free_bytes(self) -> int:
        """Return what the file system still has for us."""
        status = os.statvfs(self._root)
        return status.f_bavail * status.f_frsize


def kernel_boot_id() -> str:
    """Return what identifies this run of the kernel; "" where nobody says."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
