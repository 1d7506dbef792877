"""A benchmark that is ended leaves nothing running, however it is ended."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from amaro.processes import is_alive
from tests.support.stack import until

BENCHMARK = """
import argparse, asyncio, sys, tempfile
from pathlib import Path
import uvloop
from benchmarks.command import run
from benchmarks.processes import free_port, running

SERVER = "import socket, sys; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); s.accept()"
SERVER += "; import time; time.sleep(600)"

def measure():
    port = free_port()
    command = [sys.executable, "-c", SERVER, str(port)]
    with tempfile.TemporaryDirectory(dir=sys.argv[1]) as folder:
        with running("x", command, port=port, cores="0", log=Path(folder, "log")) as server:
            print(server.process.pid, flush=True)
            uvloop.run(asyncio.sleep(600))

run(measure, argparse.Namespace(isolated=False))
"""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_servers_end_with_their_benchmark(how: signal.Signals, tmp_path: Path) -> None:
    argv = [sys.executable, "-c", BENCHMARK, str(tmp_path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as benchmark:
        assert benchmark.stdout is not None
        server = int(benchmark.stdout.readline())
        benchmark.send_signal(how)
        benchmark.wait(180)
    until(lambda: not is_alive(server), max_s=180, what="the server ended")
    if how is signal.SIGTERM:
        assert benchmark.returncode == 128 + signal.SIGINT
        assert not list(tmp_path.iterdir())
