"""A benchmark's clients and origin, on real sockets and a process of its own."""

import sys

import pytest

from benchmarks.cold import first_bytes, stream
from benchmarks.crowd import ask_all, close, connect
from benchmarks.miss_path import lags, refuse_unless_complete
from benchmarks.origin_client import fetch, requests_so_far
from benchmarks.origin_server import body
from benchmarks.pairing import RunRefusedError
from benchmarks.processes import running
from tests.support.ports import own_port

SIZE = 40_000


def test_a_crowd_reads_what_the_origin_has(tmp_path):
    port = own_port()
    command = [sys.executable, "-m", "benchmarks.origin_server", str(port)]
    with running("origin", command, port=port, cores="0", log=tmp_path / "log") as origin:
        assert fetch(origin, f"/fast/{SIZE}")[2] == body(SIZE)
        clients = connect(port, 12)
        try:
            ask_all(clients, "/fast/1", body(1), limit_s=30.0)
            refuse_unless_complete("origin", clients, 1)
            ask_all(clients, f"/slow/{SIZE}", body(SIZE), limit_s=30.0)
        finally:
            close(clients)
        refuse_unless_complete("origin", clients, SIZE)
        assert requests_so_far(origin) == 25
        assert origin.cpu_s() > 0.0
        assert lags(clients)["p99_lag_ms"] >= 0.0
    assert origin.process.poll() is not None


def test_cold_objects_are_asked_for_one_after_another_and_compared(tmp_path):
    port = own_port()
    command = [sys.executable, "-m", "benchmarks.origin_server", str(port)]
    with running("origin", command, port=port, cores="0", log=tmp_path / "log") as origin:
        paths = [f"/fast/{SIZE}?{number}" for number in range(20)]
        assert stream(port, iter(paths), SIZE, 3) > 0.0
        assert len(first_bytes(port, iter(paths), SIZE)) == 20
        assert requests_so_far(origin) == 40
        with pytest.raises(RunRefusedError):
            stream(port, iter(paths), SIZE + 1, 3)
