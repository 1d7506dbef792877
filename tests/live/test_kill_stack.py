"""`amaro up` killed in every way: no process stays, no lock stays, the data does."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from amaro.processes import is_alive
from tests.support.stack import AMARO, RunningStack, free_port_base, start_stack, until


def children_of(stack: RunningStack) -> list[int]:
    return [service.pid for service in stack.stack.services if service.pid is not None]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_and_no_lock_stay(tmp_path: Path, how: signal.Signals) -> None:
    first = start_stack(tmp_path / "data")
    children, token = children_of(first), first.token
    assert children
    status = first.end(how)
    assert status == (-signal.SIGKILL if how is signal.SIGKILL else 0)
    until(lambda: not any(map(is_alive, children)), max_s=20, what="every service ended")
    assert first.amaro("status").returncode == 1

    second = start_stack(tmp_path / "data")
    try:
        assert second.token == token
    finally:
        second.end()


def test_a_killed_service_is_restarted(tmp_path: Path) -> None:
    running = start_stack(tmp_path / "data")
    try:
        victim = running.service("valkey").pid
        assert victim is not None
        os.kill(victim, signal.SIGKILL)
        running.wait_restarted("valkey", victim)
        assert "valkey was killed by SIGKILL" in running.output.read_text()
    finally:
        running.end()


def test_a_second_stack_on_the_same_data_is_refused(stack: RunningStack) -> None:
    base = str(free_port_base())
    again = stack.amaro("up", "--port-base", base)
    assert again.returncode == 1
    assert f"process {stack.process.pid}" in again.stderr
    assert stack.is_ready()


def test_a_taken_port_is_named_with_its_option(tmp_path: Path) -> None:
    base = free_port_base()
    with socket.create_server(("127.0.0.1", base + 4)):
        refused = subprocess.run(
            [*AMARO, "up", "--data", str(tmp_path), "--port-base", str(base)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert refused.returncode == 1
    assert f"{base + 4} (origin)" in refused.stderr
    assert "--port-base" in refused.stderr
