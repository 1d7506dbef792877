"""What the edges of a stack may keep on disk: the size that a person wants, checked or chosen."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from amaro.quantities import GIB, MIB, parse_size, shown_size
from amaro.stack import StackError

if TYPE_CHECKING:
    from amaro.stack import DataDir

DEFAULT_BYTES: Final = 4 * GIB  # of each edge,
DEFAULT_SHARE: Final = 20  # and no more than one part in so many of the file system
MIN_BYTES: Final = 64 * MIB


def edge_disk_bytes(said: str | None, data: DataDir, edges: int) -> int:
    """Return what each of `edges` edges may keep below `data`; raise StackError when absurd."""
    status = os.statvfs(data.root)
    total_bytes = status.f_blocks * status.f_frsize
    if said is None:
        return max(MIN_BYTES, min(DEFAULT_BYTES, total_bytes // DEFAULT_SHARE))
    try:
        wanted_bytes = parse_size(said)
    except ValueError as error:
        raise StackError(f"--disk-size: {error}.") from None
    if wanted_bytes < MIN_BYTES:
        raise StackError(
            f"--disk-size {said} is too small for a cache of videos: give each edge at least "
            f"{shown_size(MIN_BYTES)}, or leave the option out."
        )
    if wanted_bytes * edges > total_bytes:
        raise StackError(
            f"--disk-size {said} for each of {edges} edges is more than the file system of "
            f"{data.root} holds, {shown_size(total_bytes)}. Choose a smaller size, or another "
            "directory with --data DIR."
        )
    return wanted_bytes


def edge_disk(data: DataDir, region: str) -> Path:
    """Return where the edge of a region keeps its responses."""
    return data.root / "edges" / region
