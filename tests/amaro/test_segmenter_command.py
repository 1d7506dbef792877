"""`amaro segmenter work` says what is wrong with what it was told."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from amaro.cli import app


@pytest.mark.parametrize(
    ("options", "named", "status"),
    [
        (["--jobs", "nonsense"], "--jobs", 1),
        (["--jobs", "sqlite:////proc/nothing/x.sqlite"], "--jobs", 1),
        (["--jobs", "sqlite://", "--data", "/proc/nothing"], "--data /proc/nothing", 1),
        (["--jobs", "sqlite://", "--listen", "8086"], "--listen: '8086'", 2),
        (["--jobs", "sqlite://", "--edge-admin", "http://[::1"], "--edge-admin", 2),
    ],
)
def test_an_option_that_cannot_work_is_named(
    tmp_path: Path, options: list[str], named: str, status: int
) -> None:
    argv = ["segmenter", "work", "--data", str(tmp_path), *options]
    result = CliRunner().invoke(app, argv)
    assert result.exit_code == status, result.output
    assert named in result.output
    assert "Traceback" not in result.output
