"""Which stack a command speaks to, and with which token."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from amaro.stack import DataDir, Service, Stack, StackError
from amaro.target import TOKEN_VARIABLE, find_target

ADMIN = "http://127.0.0.1:8082"


@pytest.fixture(autouse=True)
def _no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    directory = DataDir(tmp_path)
    directory.prepare()
    url = "http://127.0.0.1:8080"
    edge = Service(name="edge-north", kind="edge", url=url, health_url=url, pid=1, admin_url=ADMIN)
    directory.write_stack(Stack(pid=os.getpid(), token="from-stack", services=(edge,)))
    return tmp_path


def test_the_running_stack_brings_its_token(data: Path) -> None:
    target = find_target(data=data, admin=None, token_file=None)
    assert target.admins == (ADMIN,)
    assert target.headers == {"Authorization": "Bearer from-stack"}


def test_the_environment_wins_over_the_stack(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, "from-environment")
    assert find_target(data=data, admin=None, token_file=None).token == "from-environment"


def test_the_file_wins_over_the_environment(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, "from-environment")
    file = tmp_path / "token.txt"
    file.write_text("from-file\n")
    assert find_target(data=data, admin=None, token_file=file).token == "from-file"


def test_admin_needs_a_token(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="--admin needs a token"):
        find_target(data=tmp_path, admin=[ADMIN], token_file=None)


def test_admin_with_a_token_needs_no_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, "t")
    target = find_target(data=tmp_path, admin=[f"{ADMIN}/"], token_file=None)
    assert target.admins == (ADMIN,)
    assert target.services == ()


@pytest.mark.parametrize(("content", "reason"), [(None, "Cannot read"), ("\n", "is empty")])
def test_a_bad_token_file_is_named(tmp_path: Path, content: str | None, reason: str) -> None:
    file = tmp_path / "token.txt"
    if content is not None:
        file.write_text(content)
    with pytest.raises(StackError, match=reason):
        find_target(data=tmp_path, admin=[ADMIN], token_file=file)


@pytest.mark.parametrize(
    "url", ["foo", "http://h:99999", "http://[::1", "ftp://h", "http://h/path"]
)
def test_an_admin_listener_that_is_none_is_named(
    data: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, "t")
    with pytest.raises(StackError, match=r"--admin: .*is not a server's URL"):
        find_target(data=data, admin=[url], token_file=None)
