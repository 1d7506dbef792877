"""wrk as the load of one turn: 32 keep-alive connections with ten header fields of a browser."""

import re
import resource
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.origin_client import requests_so_far
from benchmarks.pairing import Sample
from benchmarks.peers import LOAD_CORE, complaints
from benchmarks.processes import Server, busy_cpu_s

CONNECTIONS = 32
SCRIPTS = Path(__file__).parent / "peers"
TOTALS = re.compile(r"^totals" + r" (\d+)" * 6 + "$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Workload:
    """What clients ask for: one body size, and the script that makes their requests."""

    size: int
    script: str = "browser.lua"

    @property
    def path(self) -> str:
        """The path of the object at the origin."""
        return f"/fast/{self.size}"


def turn(server: Server, origin: Server, workload: Workload, seconds: int) -> Sample:
    """Load one server for about `seconds` and return what came of it."""
    asked_before = requests_so_far(origin)
    cpu_before_s, wrk_before_s, busy_before_s = server.cpu_s(), cpu_of_children_s(), busy_cpu_s()
    command = ["taskset", "-c", str(LOAD_CORE), "wrk", "-t1", f"-c{CONNECTIONS}"]
    command += [f"-d{seconds}s", "--timeout", "10s", "-s", str(SCRIPTS / workload.script)]
    command += [server.url + workload.path]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    totals = TOTALS.search(output)
    if totals is None:
        raise RuntimeError(f"wrk said no totals: {output}")
    cpu_s = server.cpu_s() - cpu_before_s
    ours_s = cpu_s + cpu_of_children_s() - wrk_before_s
    requests, duration_us, broken, refused, p50_us, p99_us = map(int, totals.groups())
    return Sample(
        requests=requests,
        seconds=duration_us / 1e6,
        errors=broken + refused,
        origin_requests=requests_so_far(origin) - asked_before,
        complaints=complaints(server),
        cpu_s=cpu_s,
        p50_us=p50_us,
        p99_us=p99_us,
        foreign_cores=max(busy_cpu_s() - busy_before_s - ours_s, 0.0) / (duration_us / 1e6),
    )


def cpu_of_children_s() -> float:
    """Return the CPU seconds of the children that have ended, which is to say of wrk."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime
