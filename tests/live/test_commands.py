"""The commands of a running stack, as a person and as a script use them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

from amaro.target import TOKEN_VARIABLE
from tests.support.clip import make_clip
from tests.support.ports import own_port
from tests.support.stack import AMARO, RunningStack, get


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip") / "My clip.mp4")


def amaro(*argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command that stays away from the shared stack's data directory."""
    env = {k: v for k, v in os.environ.items() if k != TOKEN_VARIABLE} | environment
    return subprocess.run(
        [*AMARO, *argv], capture_output=True, text=True, timeout=200, check=False, env=env
    )


def test_status(stack: RunningStack) -> None:
    answer = json.loads(stack.amaro("status", "--json").stdout)
    assert answer["ready"] is True
    assert {s["name"]: s["kind"] for s in answer["services"]} == {
        "valkey": "valkey",
        "origin": "origin",
        "segmenter": "worker",
        "edge-north": "edge",
        "edge-south": "edge",
        "console": "console",
    }
    assert all(set(s) == {"name", "kind", "url", "healthy"} for s in answer["services"])


def test_status_of_a_named_edge(stack: RunningStack) -> None:
    admin = stack.service("edge-north").admin_url
    assert admin is not None
    named = amaro("status", "--json", "--admin", admin, AMARO_ADMIN_TOKEN=stack.token)
    assert json.loads(named.stdout)["ready"] is True
    refused = amaro("status", "--json", "--admin", admin)
    assert refused.returncode == 1
    assert "AMARO_ADMIN_TOKEN" in refused.stderr


def test_upload_to_the_end(stack: RunningStack, clip: Path) -> None:
    done = stack.amaro("upload", str(clip), "--region", "south", "--wait", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    asset_id = answer["asset_id"]
    assert set(answer) == {
        *("asset_id", "playback_url", "watch_url", "first_playable_s", "complete_s"),
    }
    assert answer["playback_url"] == f"{stack.url('edge-south')}/v/{asset_id}/main.m3u8"
    assert answer["watch_url"] == f"{stack.url('console')}/watch/{asset_id}"
    assert 0 < answer["first_playable_s"] <= answer["complete_s"]
    assert get(answer["playback_url"]).status_code == 200
    assert get(answer["watch_url"]).status_code == 200
    feed = get(f"{stack.url('edge-south')}/feed/south").json()
    assert {"asset_id": asset_id, "title": "My clip"}.items() <= feed["stories"][0].items()


def test_upload_by_way_of_a_named_edge(stack: RunningStack, clip: Path) -> None:
    admin = stack.service("edge-south").admin_url
    assert admin is not None
    done = amaro("upload", str(clip), "--json", "--admin", admin, AMARO_ADMIN_TOKEN=stack.token)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["playback_url"].startswith(f"{stack.url('edge-south')}/v/")
    assert answer["watch_url"] is None
    refused = amaro("upload", str(clip), "--admin", admin, AMARO_ADMIN_TOKEN="wrong")
    assert refused.returncode == 1
    assert "refuses" in refused.stderr


def test_upload_that_cannot_be_processed(stack: RunningStack, tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("This is no video at all.\n" * 100)
    failed = stack.amaro("upload", str(text), "--wait", "--json")
    assert failed.returncode == 1
    assert failed.stdout == ""
    assert "not a video" in failed.stderr


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["no such.mp4"], "Cannot read no such.mp4: No such file"),
        (["."], ". is a directory"),
        (["{clip}", "--region", "west"], "no region 'west'; there is north, south"),
    ],
    ids=["missing", "directory", "region"],
)
def test_upload_asked_wrongly(
    stack: RunningStack, clip: Path, options: list[str], sentence: str
) -> None:
    refused = stack.amaro("upload", *(option.format(clip=clip) for option in options))
    assert refused.returncode == 1
    assert sentence in refused.stderr


def test_no_stack_is_said(tmp_path: Path, clip: Path) -> None:
    for command in (("status",), ("upload", str(clip))):
        refused = amaro(*command, "--data", str(tmp_path))
        assert refused.returncode == 1
        assert f"No stack runs on {tmp_path}" in refused.stderr


def test_a_second_stack_on_the_same_data_is_refused(stack: RunningStack) -> None:
    again = amaro("up", "--data", str(stack.data.root), "--port-base", str(own_port()))
    assert again.returncode == 1
    assert f"process {stack.process.pid}" in again.stderr
    assert stack.is_ready()


def test_a_taken_port_is_named_with_its_option(tmp_path: Path) -> None:
    base = own_port()
    with socket.create_server(("127.0.0.1", base + 4)):
        refused = amaro("up", "--data", str(tmp_path), "--port-base", str(base))
    assert refused.returncode == 1
    assert f"{base + 4} (origin)" in refused.stderr
    assert "--port-base" in refused.stderr


def test_data_where_nobody_can_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = amaro("up", "--data", str(tmp_path / "file" / "data"))
    assert refused.returncode == 1
    assert "--data DIR" in refused.stderr
