"""The embedded Valkey's configuration."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from amaro.stack import DataDir, StackError
from amaro.valkey import SOCKET_PATH_MAX_BYTES, configure, quoted, socket_path


def test_the_socket_lies_in_the_data_directory() -> None:
    assert socket_path(Path("/data/run")) == Path("/data/run/valkey.sock")


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield a short temporary directory, which pytest's own is not."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        monkeypatch.setattr(tempfile, "tempdir", name)
        yield Path(name)


def test_a_long_path_gets_a_short_private_directory(temporary: Path) -> None:
    long = temporary / ("x" * SOCKET_PATH_MAX_BYTES)
    short = socket_path(long)
    assert len(str(short)) <= SOCKET_PATH_MAX_BYTES
    assert socket_path(long) == short
    assert short.parent.stat().st_mode & 0o077 == 0
    short.parent.chmod(0o755)
    with pytest.raises(StackError, match="not private"):
        socket_path(long)


def test_the_password_is_not_on_the_command_line(tmp_path: Path) -> None:
    data = DataDir(tmp_path)
    data.prepare()
    valkey = configure(data)
    assert valkey.password not in " ".join(valkey.argv)
    assert f'requirepass "{valkey.password}"' in (data.run / "valkey.conf").read_text()
    assert (data.run / "valkey.conf").stat().st_mode & 0o077 == 0
    assert valkey.password in valkey.url
    assert valkey.password not in valkey.shown_url


def test_quotes_are_escaped() -> None:
    assert quoted('a "b" \\c') == '"a \\"b\\" \\\\c"'
