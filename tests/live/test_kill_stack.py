"""Killed in mid-work, whole or in part: nothing acknowledged is lost, nothing is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from amaro.processes import is_alive
from tests.support.clip import make_clip
from tests.support.edge_node import NO_TLS
from tests.support.stack import (
    AMARO,
    PATIENCE_S,
    RunningStack,
    get,
    start_stack,
    until,
)

MIB = 1024 * 1024
TUS = {"Tus-Resumable": "1.0.0"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4")


def kill(stack: RunningStack, name: str) -> None:
    """SIGKILL a service and return when `up` has replaced it."""
    victim = stack.service(name).pid
    assert victim is not None
    os.kill(victim, signal.SIGKILL)
    stack.wait_restarted(name, victim)


def playlist(stack: RunningStack, edge: str, asset_id: str) -> str:
    """Return the multivariant playlist as a player gets it."""
    answer = get(f"{stack.url(edge)}/v/{asset_id}/main.m3u8")
    assert answer.status_code == 200, answer.text
    return answer.text


@dataclass
class Uploading:
    """`amaro upload --wait --json` at work, with a memory of its own."""

    process: subprocess.Popen[str]
    state: Path
    stack: RunningStack

    def offset(self) -> int:
        """Return how many bytes the origin has acknowledged so far."""
        for memory in self.state.glob("amaro/uploads/[0-9a-f]*"):
            with suppress(FileNotFoundError):  # it goes with the last byte
                answer = httpx.head(
                    memory.read_text(), headers=TUS, timeout=PATIENCE_S, verify=NO_TLS
                )
                return int(answer.headers.get("Upload-Offset", 0))
        return 0

    def result(self) -> dict[str, Any]:
        """Return what the command printed at its end."""
        out, err = self.process.communicate(timeout=200)
        assert self.process.returncode == 0, err
        return json.loads(out)


@contextmanager
def uploading(stack: RunningStack, file: Path, state: Path) -> Iterator[Uploading]:
    process = subprocess.Popen(
        [*AMARO, "upload", str(file), "--wait", "--json", "--data", str(stack.data.root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"XDG_STATE_HOME": str(state)},
    )
    with process:
        try:
            yield Uploading(process, state, stack)
        finally:
            process.kill()


def states(stack: RunningStack, asset_id: str) -> dict[str, Any]:
    return get(f"{stack.url('origin')}/api/assets/{asset_id}").json()


def submitted(stack: RunningStack, clip: Path) -> str:
    """Upload without waiting and return the asset id."""
    done = stack.amaro("upload", str(clip), "--json")
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["asset_id"])


def complete(stack: RunningStack, asset_id: str) -> bool:
    state = states(stack, asset_id)
    assert state["error"] is None
    return bool(state["state"] == "complete")


def test_origin_killed_in_mid_upload(stack: RunningStack, tmp_path: Path) -> None:
    big = make_clip(tmp_path / "big.mp4", pad=256 * MIB)
    with uploading(stack, big, tmp_path / "state") as upload:
        until(lambda: upload.offset() > 0, max_s=180, what="the first bytes acknowledged")
        kill(stack, "origin")
        result = upload.result()
    assert result["complete_s"] >= result["first_playable_s"] > 0
    assert "#EXT-X-STREAM-INF" in playlist(stack, "edge-north", result["asset_id"])


def test_client_killed_in_mid_upload_goes_on(stack: RunningStack, tmp_path: Path) -> None:
    big = make_clip(tmp_path / "big.mp4", pad=256 * MIB)
    with uploading(stack, big, tmp_path / "state") as first:
        until(lambda: first.offset() > 0, max_s=180, what="the first bytes acknowledged")
        first.process.kill()
        first.process.wait(PATIENCE_S)
        url = next((tmp_path / "state").glob("amaro/uploads/[0-9a-f]*")).read_text()
    with uploading(stack, big, tmp_path / "state") as second:
        result = second.result()
    again = httpx.head(url, headers=TUS, timeout=PATIENCE_S, verify=NO_TLS)
    assert again.headers["Amaro-Asset-Id"] == result["asset_id"]


@pytest.mark.parametrize("name", ["segmenter", "valkey"])
def test_killed_in_mid_job(stack: RunningStack, clip: Path, name: str) -> None:
    asset_id = submitted(stack, clip)
    until(
        lambda: states(stack, asset_id)["state"] not in {"uploading", "queued"},
        max_s=120,
        what="the job begun",
    )
    kill(stack, name)
    until(lambda: complete(stack, asset_id), max_s=120, what=f"complete without {name}")


def test_edge_killed_under_its_players(stack: RunningStack, clip: Path) -> None:
    asset_id = submitted(stack, clip)
    until(lambda: complete(stack, asset_id), max_s=120, what="complete")
    before = playlist(stack, "edge-south", asset_id)
    kill(stack, "edge-south")
    assert playlist(stack, "edge-south", asset_id) == before


def test_up_killed_and_interrupted(tmp_path: Path, clip: Path) -> None:
    first = start_stack(tmp_path / "data")
    asset_id, token = submitted(first, clip), first.token
    services = pids(first)
    first.end(signal.SIGKILL)
    until(lambda: not any(map(is_alive, services)), max_s=180, what="all services ended")
    assert first.amaro("status").returncode == 1

    second = start_stack(tmp_path / "data", "--demo")  # the lock is free
    assert second.token == token
    until(lambda: complete(second, asset_id), max_s=120, what="complete")
    assert "#EXT-X-STREAM-INF" in playlist(second, "edge-north", asset_id)
    until(lambda: demo_url(second), max_s=120, what=f"a demo, in {second.output}")
    assert get(demo_url(second)).status_code == 200
    services = pids(second)
    assert second.end(signal.SIGINT) == 0
    assert not any(map(is_alive, services))


def demo_url(stack: RunningStack) -> str:
    """Return where `up` says that the demo clip plays; empty before it says so."""
    lines = [line for line in stack.output.read_text().splitlines() if "/watch/" in line]
    return lines[-1].split()[-1] if lines else ""


def pids(stack: RunningStack) -> list[int]:
    return [service.pid for service in stack.stack.services if service.pid is not None]
