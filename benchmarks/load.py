"""The load of one turn: 32 keep-alive connections with ten header fields of a browser."""

import re
import subprocess
import sys
from pathlib import Path

from benchmarks.hit_rows import Row
from benchmarks.origin_client import requests_so_far
from benchmarks.pairing import Sample
from benchmarks.peers import LOAD_CORE, complaints
from benchmarks.processes import Server, busy_cpu_s, cpu_of_children_s

SCRIPTS = Path(__file__).parent / "peers"
TOTALS = re.compile(r"^totals" + r" (\d+)" * 7 + "$", re.MULTILINE)


def wrk(server: Server, row: Row, seconds: int) -> list[str]:
    """Return the command of a load that asks for the same thing again and again."""
    command = ["wrk", "-t1", f"-c{row.connections}", f"-d{seconds}s", "--timeout", "10s"]
    command += ["-s", str(SCRIPTS / row.script)]
    command += [part for name, value in row.fields for part in ("-H", f"{name}: {value}")]
    return [*command, server.url + row.path]


def parts(server: Server, row: Row, seconds: int) -> list[str]:
    """Return the command of a load that asks for part after part."""
    numbers = map(str, (row.size, row.body_bytes, seconds))
    return [sys.executable, "-m", "benchmarks.parts", str(server.port), row.path, *numbers]


def turn(server: Server, origin: Server, row: Row, seconds: int) -> Sample:
    """Load one server for about `seconds` and return what came of it."""
    asked_before = requests_so_far(origin)
    cpu_before_s, wrk_before_s, busy_before_s = server.cpu_s(), cpu_of_children_s(), busy_cpu_s()
    asks = parts(server, row, seconds) if row.parts else wrk(server, row, seconds)
    command = ["taskset", "-c", str(LOAD_CORE), *asks]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    totals = TOTALS.search(output)
    if totals is None:
        raise RuntimeError(f"the load said no totals: {output}")
    cpu_s = server.cpu_s() - cpu_before_s
    ours_s = cpu_s + cpu_of_children_s() - wrk_before_s
    requests, duration_us, broken, refused, p50_us, p99_us, received = map(int, totals.groups())
    return Sample(
        requests=requests,
        seconds=duration_us / 1e6,
        errors=broken + refused,
        origin_requests=requests_so_far(origin) - asked_before,
        complaints=complaints(server),
        cpu_s=cpu_s,
        p50_us=p50_us,
        p99_us=p99_us,
        answer_bytes=received / max(requests, 1),
        foreign_cores=max(busy_cpu_s() - busy_before_s - ours_s, 0.0) / (duration_us / 1e6),
    )
