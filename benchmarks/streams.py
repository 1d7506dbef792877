"""h2load as the load of one turn over HTTP/2: 8 connections with 16 requests each on their way.

h2load does not survive a GOAWAY, which this edge sends after 3 900 requests. So one run of h2load
after the other makes its connections anew, with full handshakes, until the turn is over; its time
is that of all runs, from the first connection's beginning to the last answer's end.
"""

import re
import subprocess
from dataclasses import dataclass

from benchmarks.hit_rows import MIB, Row
from benchmarks.origin_client import requests_so_far
from benchmarks.pairing import RunRefusedError, Sample
from benchmarks.peers import LOAD_CORE, complaints
from benchmarks.processes import Server, busy_cpu_s, cpu_of_children_s
from benchmarks.steady import browser_fields

CLIENTS, STREAMS = 8, 16
REQUESTS_MAX = 3_840  # of a connection
BYTES_MAX = 128 * MIB  # of a connection: a run of large bodies takes a second or two, as well
WINDOWS = ("-w23", "-W24")  # 8 MiB a stream and 16 a connection, about those of a browser
CIPHER = "TLS_AES_128_GCM_SHA256"  # what browsers ask for first; both sides get no other offer

UNITS_S = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
SAID = re.compile(
    r"Cipher: (?P<cipher>\S+)$.*"
    r"^Application protocol: (?P<protocol>\S+)$.*"
    r"^finished in (?P<took>[\d.]+)(?P<unit>us|ms|s),.*"
    r"^requests: \d+ total, \d+ started, \d+ done, (?P<good>\d+) succeeded, .*"
    r"^status codes: (?P<ok>\d+) 2xx, .*"
    r"^traffic: \S+ \((?P<bytes>\d+)\) total, .* \S+ \((?P<data>\d+)\) data$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of h2load said."""

    seconds: float
    good: int  # answers that ended, with a status that is no error
    received: int  # bytes, heads and frames included
    body_bytes: int

    @classmethod
    def of(cls, output: str) -> "Run":
        """Read its output. Raises RunRefusedError when it spoke another protocol or cipher."""
        said = SAID.search(output)
        if said is None or (said["protocol"], said["cipher"]) != ("h2", CIPHER):
            raise RunRefusedError(f"not h2 over {CIPHER}: {output}")
        seconds = float(said["took"]) * UNITS_S[said["unit"]]
        good = min(int(said["good"]), int(said["ok"]))
        return cls(seconds, good, int(said["bytes"]), int(said["data"]))


def streams_turn(server: Server, origin: Server, row: Row, seconds: int) -> Sample:
    """Load one server for at least `seconds` and return what came of it.

    Raises RunRefusedError when bodies had other lengths than they should.
    """
    count = CLIENTS * min(REQUESTS_MAX, BYTES_MAX // row.body_bytes)
    asked_before = requests_so_far(origin)
    cpu_before_s, load_before_s, busy_before_s = server.cpu_s(), cpu_of_children_s(), busy_cpu_s()
    runs: list[Run] = []
    while sum(run.seconds for run in runs) < seconds:
        done = subprocess.run(
            command(server, row, count), capture_output=True, text=True, check=False
        )
        runs.append(Run.of(done.stdout + done.stderr))
        if runs[-1].good < count:
            break  # the turn is refused: its errors are counted below
    took_s, wanted = sum(run.seconds for run in runs), count * len(runs)
    errors = wanted - sum(run.good for run in runs)
    received = sum(run.body_bytes for run in runs)
    if not errors and received != wanted * row.body_bytes:
        raise RunRefusedError(f"{server.name}: {received} bytes of {wanted} bodies")
    cpu_s = server.cpu_s() - cpu_before_s
    ours_s = cpu_s + cpu_of_children_s() - load_before_s
    return Sample(
        requests=wanted - errors,
        seconds=took_s,
        errors=errors,
        origin_requests=requests_so_far(origin) - asked_before,
        complaints=complaints(server),
        cpu_s=cpu_s,
        answer_bytes=sum(run.received for run in runs) / wanted,
        foreign_cores=max(busy_cpu_s() - busy_before_s - ours_s, 0.0) / took_s,
    )


def command(server: Server, row: Row, count: int) -> list[str]:
    """Return the command that asks `count` times, with the header fields of the other loads."""
    told = ["taskset", "-c", str(LOAD_CORE), "h2load", f"-c{CLIENTS}", f"-m{STREAMS}", f"-n{count}"]
    told += [*WINDOWS, f"--tls13-ciphers={CIPHER}"]
    for name, value in (*browser_fields(), *row.fields):
        if name != "Connection":  # not a field of HTTP/2
            told += ["-H", f"{name}: {value}"]
    return [*told, server.url + row.path]
