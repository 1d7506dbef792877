"""What the disk tier costs and saves: hits from it beside nginx, a disk that hangs, a restart.

Files lie on a file system with a disk, for both sides, and are in the page cache: what is compared
is the way from there to the player.
"""

import http.client
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.command import arguments, run
from benchmarks.hit_path import figures_of
from benchmarks.hit_rows import KIB, MIB, Row
from benchmarks.load import turn
from benchmarks.old_files import object_path, write_files
from benchmarks.origin_client import origin, refuse_unless_alike, warm
from benchmarks.pairing import (
    RunRefusedError,
    Sample,
    cpu_us_per_request,
    paired_ratios,
    quietest,
    refuse_unless_hits,
    turns,
)
from benchmarks.peers import EDGE, Place, started
from benchmarks.processes import Server, free_port, running
from benchmarks.report import Report, is_real_time
from benchmarks.steady import steady
from edge.disk import THREADS
from edge.disk_files import OBJECTS, file_name

NEEDS: Final = ("h2load", "nginx", "taskset", "wrk")
PEER: Final = "nginx-tuned"
ON_DISK: Final = Path("/var/tmp")  # tmpfs cannot say what it has at hand
FROM_DISK: Final = "rules: [{name: disk, set: {tiers: disk, disk_after: 1}}]\n"
OBJECTS_ASKED: Final = 61  # by several.lua: those who ask for one at the same time share a fill
HITS: Final = tuple(
    Row(
        label=label,
        size=size,
        script="several.lua",
        connections=4,
        servers=(EDGE, PEER),
        targets={},
    )
    for label, size in (("hits-64KiB", 64 * KIB), ("hits-1MiB", MIB))
)
MISSED_SHARE_MAX: Final = 0.05  # look-ups that took too long, on a machine that others use, too
MEMORY_HIT: Final = Row(label="memory-hits", size=KIB, servers=(EDGE,), targets={})
RATE: Final = 4_000.0  # memory hits a second, while the disk hangs or not
FILES: Final = 20_000
P99_MOST: Final = 2.0
SKIP_MOST_MS: Final = 50.0


def measure(*, quick: bool) -> Report:
    """Return what all three rows have shown."""
    figures: dict[str, Any] = {}
    ratios: dict[str, Any] = {}
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=ON_DISK)))
        source = stack.enter_context(origin(directory))
        for row in HITS:
            samples = disk_hits(row, directory / row.label, source, quick=quick)
            figures[row.label] = {
                name: figures_of(row, each) | {"missed_share": missed_share(each)}
                for name, each in samples.items()
            }
            ratios |= compared(row, samples)
        found = hanging(directory / "hanging", source, rounds=3 if quick else 9)
        figures["disk-hangs"] = found
        blocked = found["p99_us_blocked"] / found["p99_us_free"]
        ratios["memory hits, p99 blocked/free"] = {
            "median": blocked,
            "most": P99_MOST,
            "reached": blocked <= P99_MOST,
        }
        files = FILES // 10 if quick else FILES
        figures["restart"] = restarts(directory, source, files=files, times=3 if quick else 5)
    return Report(name="disk", runs=3 if quick else 7, figures=figures, ratios=ratios)


def disk_edge(place: Place, *options: str) -> AbstractContextManager[Server]:
    """Start an edge that keeps a disk in its directory."""
    place.directory.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "amaro", "edge", "serve"]
    command += ["--listen", f"127.0.0.1:{place.port}", "--memory", "256MiB"]
    command += ["--origin", f"http://127.0.0.1:{place.origin_port}"]
    command += ["--disk", str(place.directory / "disk"), "--disk-size", "1GiB", *options]
    log = place.directory / "edge.log"
    return running(EDGE, command, port=place.port, cores=place.cores, log=log)


# hits


def disk_hits(
    row: Row, directory: Path, source: Server, *, quick: bool
) -> Mapping[str, Sequence[Sample]]:
    """Return the turns of this edge, which may not use its memory, and of nginx."""
    here = {
        name: Place(
            directory=directory / name,
            origin_port=source.port,
            port=free_port(),
            nopush=False,  # ends of bodies would be 40 ms late
        )
        for name in row.servers
    }
    here[EDGE].directory.mkdir(parents=True)
    rules = here[EDGE].directory / "disk.yaml"
    rules.write_text(FROM_DISK)
    with ExitStack() as stack:
        servers = {
            EDGE: stack.enter_context(disk_edge(here[EDGE], "--policies", str(rules))),
            PEER: stack.enter_context(started(PEER, here[PEER])),
        }
        for server in servers.values():
            warm(server, row.path, row.size)
            for less in range(OBJECTS_ASKED):
                mark = "detail=disk" if server.name == EDGE else ""
                until_hit(server, f"/fast/{row.size - less}", mark)
            refuse_unless_alike(server, row)
        wanted, seconds = (2, 1) if quick else (row.rounds, row.turn_s)
        rounds = [
            {name: disk_turn(servers[name], source, row, seconds) for name in order}
            for order in turns(list(servers), wanted if is_real_time() else 3 * wanted)
        ]
    kept = quietest(rounds, wanted)
    return {name: [one[name] for one in kept] for name in servers}


def disk_turn(server: Server, source: Server, row: Row, seconds: int) -> Sample:
    """Return what a turn has shown; a look-up that takes too long is the origin's."""
    sample = turn(server, source, row, seconds)
    if sample.origin_requests > MISSED_SHARE_MAX * sample.requests:
        raise RunRefusedError(f"{server.name} sent {sample.origin_requests} requests on")
    refuse_unless_hits(server.name, replace(sample, origin_requests=0), row.body_bytes - 60)
    return sample


def missed_share(samples: Sequence[Sample]) -> float:
    """Return the share of requests that the origin had to answer."""
    return sum(each.origin_requests for each in samples) / sum(each.requests for each in samples)


def compared(row: Row, samples: Mapping[str, Sequence[Sample]]) -> dict[str, Any]:
    """Return this edge's rate over nginx's, turn by turn, and the same of CPU time."""
    ratio = paired_ratios(samples[EDGE], samples[PEER])
    cpu = cpu_us_per_request(samples[EDGE]) / cpu_us_per_request(samples[PEER])
    return {
        f"{row.label} edge/{PEER}": {
            "median": ratio.median,
            "low": ratio.low,
            "high": ratio.high,
        },
        f"{row.label} CPU edge/{PEER}": {"median": cpu},
    }


def get(server: Server, path: str) -> tuple[str, float]:
    """Ask for an object; return what Cache-Status says, and how many ms the answer took."""
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise RunRefusedError(f"{server.name} answers {answer.status} to {path}")
    return answer.getheader("cache-status", ""), 1000.0 * (time.monotonic() - began)


def until_hit(server: Server, path: str, mark: str) -> None:
    """Ask until an answer says `mark`: a file is written beside serving."""
    deadline = time.monotonic() + 30
    while mark not in get(server, path)[0]:
        if time.monotonic() > deadline:
            raise RunRefusedError(f"{server.name} never says {mark}")
        time.sleep(0.05)


# a disk that hangs


@contextmanager
def blocked(server: Server, disk: Path, number: int) -> Iterator[list[float]]:
    """Have every thread of the tier hang in `open`; yield how long further look-ups took, in ms.

    A pipe without a writer stands where a file would. Those who ask for it get the origin's.
    """
    paths = [f"/fast/{3_000 + number * 100 + each}" for each in range(THREADS)]
    pipes = []
    for path in paths:
        key = f"http://127.0.0.1:{server.port}{path}".encode()
        pipes.append(disk / OBJECTS / file_name(key))
        os.mkfifo(pipes[-1])
    for path in paths:
        get(server, path)
    took_ms = [get(server, f"/fast/{5_000 + number * 100 + each}")[1] for each in range(20)]
    try:
        yield took_ms
    finally:
        for pipe in pipes:
            os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
            pipe.unlink()


def hanging(directory: Path, source: Server, *, rounds: int) -> dict[str, float]:
    """Return p99 of memory hits at a steady rate, while the disk works and while it hangs."""
    place = Place(directory=directory, origin_port=source.port, port=free_port())
    log, path = directory / "steady.log", MEMORY_HIT.path
    p99_us: dict[str, list[int]] = {"free": [], "blocked": []}
    took_ms: list[float] = []
    with disk_edge(place) as server:
        warm(server, path, MEMORY_HIT.size)
        until_hit(server, path, "hit")
        free_ms = [get(server, f"/fast/{2_000 + each}")[1] for each in range(20)]
        for number in range(rounds):
            for kind in ("free", "blocked") if number % 2 else ("blocked", "free"):
                with ExitStack() as stack:
                    if kind == "blocked":
                        took_ms += stack.enter_context(blocked(server, directory / "disk", number))
                    sample = steady(server, source, MEMORY_HIT, RATE, log)
                refuse_unless_hits(server.name, sample, MEMORY_HIT.size)
                p99_us[kind].append(sample.p99_us)
    return {
        "rate": RATE,
        "p99_us_free": median(p99_us["free"]),
        "p99_us_blocked": median(p99_us["blocked"]),
        "miss_ms_free": median(free_ms),
        "miss_ms_blocked": median(took_ms),
        "miss_ms_blocked_worst": max(took_ms),
    }


# a restart


def restarts(directory: Path, source: Server, *, files: int, times: int) -> dict[str, float]:
    """Return seconds from an edge's start to its first hit from disk, with many files and one."""
    found: dict[str, float] = {"files": files}
    for name, count in (("s_with_all", files), ("s_with_one", 1)):
        place = Place(directory=directory / name, origin_port=source.port, port=free_port())
        write_files(place.directory / "disk", f"http://127.0.0.1:{place.port}", count)
        found[name] = median(started_s(place, count) for _ in range(times))
    return found


def started_s(place: Place, count: int) -> float:
    """Return seconds until the edge has answered with a file of the last run."""
    began = time.monotonic()
    with disk_edge(place) as server:
        said, _ = get(server, object_path(count - 1))
        took_s = time.monotonic() - began
    if "detail=disk" not in said:
        raise RunRefusedError(f"the first answer after a restart says {said}")
    return took_s


if __name__ == "__main__":
    options = arguments(__doc__, needs=NEEDS)
    run(lambda: measure(quick=options.quick), options)
