"""What the edges of a stack may keep on disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from amaro.edge_disk import DEFAULT_BYTES, DEFAULT_SHARE, MIN_BYTES, edge_disk, edge_disk_bytes
from amaro.stack import DataDir, StackError


def test_a_size_that_is_said_is_taken(tmp_path: Path) -> None:
    assert edge_disk_bytes("100MiB", DataDir(tmp_path), 2) == 100 << 20


def test_without_one_it_is_a_small_share_of_the_disk(tmp_path: Path) -> None:
    status = os.statvfs(tmp_path)
    chosen = edge_disk_bytes(None, DataDir(tmp_path), 2)
    assert MIN_BYTES <= chosen <= DEFAULT_BYTES
    assert chosen <= max(MIN_BYTES, status.f_blocks * status.f_frsize // DEFAULT_SHARE)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("much", "is not a size"),
        ("0B", "too small"),
        ("63MiB", "at least 64 MiB"),
        ("100000TiB", "more than the file system"),
    ],
)
def test_what_is_absurd_is_refused(tmp_path: Path, said: str, why: str) -> None:
    with pytest.raises(StackError, match=why):
        edge_disk_bytes(said, DataDir(tmp_path), 2)


def test_each_region_has_its_own_directory() -> None:
    data = DataDir(Path("/data"))
    assert edge_disk(data, "north") != edge_disk(data, "south")
