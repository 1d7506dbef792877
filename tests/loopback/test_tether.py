"""A tethered process ends with the one that started it, however that ends."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from amaro import tether
from amaro.processes import is_alive
from tests.support.stack import until

# Starts a tethered child that sleeps, says its number, and sleeps itself.
PARENT = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, sys.argv[1], sys.argv[2], "KILL", "sleep", "600"])
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_child_ends_with_its_parent(how: signal.Signals) -> None:
    argv = [sys.executable, "-c", PARENT, tether.__file__, "-"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        until(lambda: command_of(child) == "sleep", max_s=180, what="the child has become sleep")
        parent.send_signal(how)
    until(lambda: not is_alive(child), max_s=180, what="the child ended")


def test_a_parent_that_is_gone_already_is_noticed() -> None:
    stranger = subprocess.run(
        [sys.executable, tether.__file__, "1", "KILL", "echo", "alive"],
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert stranger.returncode == 1
    assert stranger.stdout == ""
    assert "has ended" in stranger.stderr


def command_of(pid: int) -> str:
    with open(f"/proc/{pid}/comm") as file:  # noqa: PTH123
        return file.read().strip()
