"""A benchmark's crowd and origin, on real sockets and a process of its own."""

import sys

from benchmarks.crowd import ask_all, close, connect
from benchmarks.miss_path import lags, refuse_unless_complete
from benchmarks.origin_client import fetch, requests_so_far
from benchmarks.origin_server import body
from benchmarks.processes import free_port, running

SIZE = 40_000


def test_a_crowd_reads_what_the_origin_has(tmp_path):
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.origin_server", str(port)]
    with running("origin", command, port=port, cores="0", log=tmp_path / "log") as origin:
        assert fetch(origin, f"/fast/{SIZE}")[2] == body(SIZE)
        clients = connect(port, 12)
        try:
            ask_all(clients, f"/slow/{SIZE}", body(SIZE), limit_s=30.0)
        finally:
            close(clients)
        refuse_unless_complete("origin", clients, SIZE)
        assert requests_so_far(origin) == 13
        assert origin.cpu_s() > 0.0
        assert all(value >= 0.0 for value in lags(clients).values())
    assert origin.process.poll() is not None
