"""How long answers take at a steady rate: h2load asks by the clock, not by the last answer."""

import subprocess
from pathlib import Path

from benchmarks.hit_rows import Row
from benchmarks.origin_client import requests_so_far
from benchmarks.pairing import RunRefusedError, Sample
from benchmarks.peers import LOAD_CORE, complaints
from benchmarks.processes import Server, busy_cpu_s, cpu_of_children_s

CLIENTS = 32
BROWSER = Path(__file__).parent / "peers" / "browser.lua"
SECONDS = 2
KEPT_SHARE_MIN = (
    0.97  # of the rate that was asked for; below, the load or the server did not keep up
)


def browser_fields() -> list[tuple[str, str]]:
    """Return the field lines that the other loads send, read from their script."""
    fields = []
    for line in BROWSER.read_text().splitlines():
        if line.startswith("wrk.headers["):
            _, name, _, value, _ = line.split('"', 4)
            fields.append((name, value))
    return fields


def steady(server: Server, origin: Server, row: Row, rate: float, log: Path) -> Sample:
    """Ask `rate` requests a second of one server and return what came of it.

    Raises RunRefusedError when answers were not hits, or came at another rate.
    """
    asked_before = requests_so_far(origin)
    cpu_before_s, load_before_s, busy_before_s = server.cpu_s(), cpu_of_children_s(), busy_cpu_s()
    command = ["taskset", "-c", str(LOAD_CORE), "h2load", "--h1", f"-c{CLIENTS}", f"-D{SECONDS}"]
    command += [f"--rps={rate / CLIENTS:.2f}", f"--log-file={log}"]
    for name, value in (*browser_fields(), *row.fields):
        if name != "Connection":
            command += ["-H", f"{name}: {value}"]
    log.unlink(missing_ok=True)
    subprocess.run([*command, server.url + row.path], capture_output=True, check=True)
    cpu_s = server.cpu_s() - cpu_before_s
    ours_s = cpu_s + cpu_of_children_s() - load_before_s
    errors, took_us = read_log(log)
    if len(took_us) < KEPT_SHARE_MIN * rate * SECONDS:
        raise RunRefusedError(
            f"{server.name}: {len(took_us) / SECONDS:.0f} answers a second, not {rate:.0f}"
        )
    return Sample(
        requests=len(took_us),
        seconds=SECONDS,
        errors=errors,
        origin_requests=requests_so_far(origin) - asked_before,
        complaints=complaints(server),
        cpu_s=cpu_s,
        p50_us=took_us[len(took_us) // 2],
        p99_us=took_us[len(took_us) * 99 // 100],
        answer_bytes=row.body_bytes + 1,  # h2load says no bytes of one answer
        foreign_cores=max(busy_cpu_s() - busy_before_s - ours_s, 0.0) / SECONDS,
    )


def read_log(log: Path) -> tuple[int, list[int]]:
    """Return how many answers were not good, and how long the others took, in order, in us."""
    errors, took_us = 0, []
    for line in log.read_bytes().splitlines():
        _, status, us = line.split(b"\t")[:3]
        if status in (b"200", b"206", b"304"):
            took_us.append(int(us))
        else:
            errors += 1
    return errors, sorted(took_us)
