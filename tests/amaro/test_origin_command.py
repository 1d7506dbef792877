"""`amaro origin serve` says what is wrong with what it was told."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from amaro.cli import app
from amaro.commands.origin import parse_listen
from amaro.stack import StackError


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8084", ("127.0.0.1", 8084)),
        ("[::1]:0", ("::1", 0)),
        ("origin.example:80", ("origin.example", 80)),
    ],
)
def test_listen(text: str, address: tuple[str, int]) -> None:
    assert parse_listen(text) == address


@pytest.mark.parametrize("text", ["8084", ":8084", "host:", "host:x", "host:70000", "host:-1"])
def test_listen_that_is_no_address(text: str) -> None:
    with pytest.raises(StackError, match="HOST:PORT"):
        parse_listen(text)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--store", "ftp://x"], "--store ftp://x"),
        (["--catalog", "nonsense"], "--catalog"),
        (["--catalog", "postgresql+psycopg://u:secret@127.0.0.1:1/x"], "--catalog postgresql"),
        (["--jobs", "nosuch://x"], "--jobs nosuch://x"),
        (["--data", "/proc/nothing"], "--data /proc/nothing"),
    ],
)
def test_an_option_that_cannot_work_is_named(
    tmp_path: Path, options: list[str], named: str
) -> None:
    argv = ["origin", "serve", "--listen", "127.0.0.1:0", "--data", str(tmp_path), *options]
    result = CliRunner().invoke(app, argv)
    assert result.exit_code == 1
    assert named in result.output
    assert "secret" not in result.output
    assert "Traceback" not in result.output


def test_a_url_with_a_password_may_come_from_the_environment(tmp_path: Path) -> None:
    argv = ["origin", "serve", "--listen", "127.0.0.1:0", "--data", str(tmp_path)]
    for variable, option in (("AMARO_CATALOG_URL", "--catalog"), ("AMARO_JOBS_URL", "--jobs")):
        result = CliRunner(env={variable: "nosuch://u:secret@h/x"}).invoke(app, argv)
        assert result.exit_code == 1
        assert f"{option} nosuch://u:***@h/x" in result.output


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listen = f"127.0.0.1:{listener.getsockname()[1]}"
        argv = ["origin", "serve", "--listen", listen, "--data", str(tmp_path)]
        result = CliRunner().invoke(app, argv)
    assert result.exit_code == 1
    assert listen in result.output


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--listen", "8084"], "--listen: '8084'"),
        (["--region", "North!"], "--region North!"),
        (["--edge-admin", "here"], "--edge-admin: 'here'"),
        (["--redis", "http://:secret@h"], "--redis: http is no scheme of Valkey's"),
        (["--redis", "rediss://:secret@h?ca=/nowhere"], "--redis: ca=/nowhere: no such file"),
        (["--redis", "redis+cluster://:secret@a,b?db=1"], "--redis: '1' is no database here"),
    ],
)
def test_what_was_asked_wrongly_ends_with_2(tmp_path: Path, options: list[str], named: str) -> None:
    result = CliRunner().invoke(app, ["origin", "serve", "--data", str(tmp_path), *options])
    assert result.exit_code == 2
    assert named in result.output
    assert "secret" not in result.output


def test_a_worker_is_told_of_valkey_as_an_origin_is(tmp_path: Path) -> None:
    argv = ["segmenter", "work", "--data", str(tmp_path), "--jobs", f"sqlite:///{tmp_path}/j"]
    result = CliRunner(env={"AMARO_REDIS_URL": "redis://:secret@a,b"}).invoke(app, argv)
    assert result.exit_code == 2
    assert "--redis: several servers are a cluster" in result.output
    assert "secret" not in result.output
