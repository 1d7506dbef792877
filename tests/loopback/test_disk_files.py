"""Files that workers and the supervisor share without locks: each removes only what it has seen."""

import os
from pathlib import Path

import pytest

from edge.disk_files import ASIDE, OBJECTS, file_name, prepare, remove


@pytest.fixture
def root(tmp_path: Path) -> Path:
    prepare(tmp_path)
    return tmp_path


def put(root: Path, data: bytes) -> Path:
    """Write the file as a writer does."""
    path, aside = root / OBJECTS / file_name(b"http://edge.test/object"), root / "written"
    aside.write_bytes(data)
    os.rename(aside, path)  # noqa: PTH104 what others do is counted in these tests
    return path


def is_tidy(root: Path) -> bool:
    return not list((root / ASIDE).iterdir())


def test_what_was_seen_is_removed(root: Path) -> None:
    path = put(root, b"old")
    inode = path.stat().st_ino
    for _ in range(2):
        remove(path, inode)
        assert not path.exists()
    assert is_tidy(root)


def test_another_in_its_place_stays(root: Path) -> None:
    with put(root, b"old").open() as seen:
        path = put(root, b"new")
        remove(path, os.fstat(seen.fileno()).st_ino)
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("newest", [b"new", b"newer"])
def test_another_that_comes_meanwhile_stays(
    root: Path, newest: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename, link = Path.rename, os.link

    def rename_late(self: Path, target: Path) -> Path:
        put(root, b"new")
        return rename(self, target)

    def link_late(source: Path, target: Path) -> None:
        if newest == b"newer":
            put(root, newest)
        link(source, target)

    monkeypatch.setattr(Path, "rename", rename_late)
    monkeypatch.setattr(os, "link", link_late)
    path = put(root, b"old")
    with path.open() as seen:  # its inode is not given to another
        remove(path, os.fstat(seen.fileno()).st_ino)
    assert path.read_bytes() == newest
    assert is_tidy(root)


def test_every_name_is_its_own() -> None:
    assert file_name(b"k") != file_name(b"k", b"") != file_name(b"k", b"v")
    assert file_name(b"k") == file_name(b"k")
