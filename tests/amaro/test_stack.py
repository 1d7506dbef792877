"""The data directory: who holds it, what it remembers, who may read it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from amaro.stack import DataDir, Service, Stack, StackError

NOBODY = 2**22 - 1  # a process number that Linux never gives (pid_max <= 2**22 counts from 0)


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    directory = DataDir(tmp_path / "data")
    directory.prepare()
    return directory


def stack(pid: int) -> Stack:
    url = "http://127.0.0.1:8080"
    edge = Service(name="edge-north", kind="edge", url=url, health_url=url, pid=1, region="north")
    return Stack(pid=pid, token="t", services=(edge,))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_was_written_is_read(data: DataDir) -> None:
    data.write_stack(stack(os.getpid()))
    assert data.read_stack() == stack(os.getpid())


def test_secrets_are_for_their_owner(data: DataDir) -> None:
    data.write_stack(stack(os.getpid()))
    data.secret("token")
    assert mode(data.run) == 0o700
    assert mode(data.stack_file) == mode(data.run / "token") == 0o600


def test_a_secret_stays_the_same(data: DataDir) -> None:
    first = data.secret("token")
    assert len(first) >= 40
    assert data.secret("token") == first
    assert data.secret("other") != first


def test_no_stack_is_named(data: DataDir) -> None:
    with pytest.raises(StackError, match=r"No stack runs on .*/data\. Start one"):
        data.read_stack()


def test_a_killed_stack_is_named(data: DataDir) -> None:
    data.write_stack(stack(NOBODY))
    with pytest.raises(StackError, match=f"process {NOBODY}.* was killed"):
        data.read_stack()


def test_the_lock_has_one_holder_who_is_named(data: DataDir) -> None:
    with (
        data.locked(),
        pytest.raises(StackError, match=f"already runs on .*process {os.getpid()}"),
        data.locked(),
    ):
        pass
    with data.locked():
        pass


def test_a_refusing_disk_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StackError, match=r"Not a directory.*--data DIR"):
        DataDir(tmp_path / "file" / "data").prepare()


@pytest.mark.parametrize(
    "text",
    [b"", b"{bad", b"[]", b"7", b'{"pid": 1}', b'{"pid": 1, "token": "t", "services": [{}]}'],
)
def test_a_damaged_stack_file_is_named(data: DataDir, text: bytes) -> None:
    data.stack_file.write_bytes(text)
    with pytest.raises(StackError, match=r"stack\.json is not what amaro up writes"):
        data.read_stack()
