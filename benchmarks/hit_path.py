"""How many hits a second one worker on one core answers, beside nginx and Varnish.

The load runs on another core. Turns are interleaved, ratios are of neighbouring turns, and the
run is refused when a server answers anything but a hit, or complains in its log.
"""

import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.command import arguments, run
from benchmarks.load import Workload, turn
from benchmarks.origin_client import origin, warm
from benchmarks.pairing import (
    Sample,
    cpu_us_per_request,
    is_quiet,
    paired_ratios,
    quietest,
    rates,
    reached,
    refuse_unless_hits,
    turns,
)
from benchmarks.peers import EDGE, STARTS
from benchmarks.processes import Server
from benchmarks.report import Report, is_real_time

NEEDS = ("nginx", "taskset", "varnishd", "wrk")
WORKLOADS = {
    "1KiB": Workload(1024),
    "1KiB-changing-fields": Workload(1024, "changing.lua"),  # nothing to remember
    "1MiB": Workload(1024 * 1024),
}
TARGETS = {
    "1KiB edge/nginx-tuned": 1.1,
    "1KiB edge/varnish": 1.4,
    "1MiB edge/nginx-tuned": 1.5,
}
TMPFS = Path("/dev/shm")


def measure(*, quick: bool, only: tuple[str, ...] = ()) -> Report:
    """Return the rates of all servers, or of `only` some, for each size, and their ratios."""
    rounds, seconds = (2, 1) if quick else (7, 1)
    names = [name for name in STARTS if not only or name in only]
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=tmpfs())))
        source = stack.enter_context(origin(directory))
        servers = {}
        for name in names:
            (directory / name).mkdir()
            servers[name] = stack.enter_context(STARTS[name](directory / name, source.port))
        samples: dict[str, list[Mapping[str, Sample]]] = {}
        for label, workload in WORKLOADS.items():
            for server in servers.values():
                warm(server, workload.path, workload.size)
                turn(server, source, workload, 1)
            samples[label] = quiet_rounds(servers, source, workload, rounds, seconds)
    return summary(samples)


def quiet_rounds(
    servers: Mapping[str, Server], source: Server, workload: Workload, wanted: int, seconds: int
) -> list[Mapping[str, Sample]]:
    """Return `wanted` rounds of {server: sample}, the quietest of at most three times as many.

    At real-time priority others wait, so that no round needs to be run again; between turns they
    get as long as a turn took.
    """
    done: list[Mapping[str, Sample]] = []
    rounds_max = wanted if is_real_time() else 3 * wanted
    for order in turns(list(servers), rounds_max):
        one_round = {}
        for name in order:
            one_round[name] = turn(servers[name], source, workload, seconds)
            if is_real_time():
                time.sleep(seconds)
        for name, sample in one_round.items():
            refuse_unless_hits(name, sample)
        done.append(one_round)
        if sum(map(is_quiet, done)) == wanted:
            break
    return quietest(done, wanted)


def tmpfs() -> str | None:
    """Return where caches of files lie in memory, None (any temporary place) without tmpfs."""
    return str(TMPFS) if TMPFS.is_dir() else None


def summary(samples: Mapping[str, Sequence[Mapping[str, Sample]]]) -> Report:
    """Return the report of {size: [{server: sample} of each round]}."""
    figures: dict[str, Any] = {}
    ratios = {}
    for label, rounds in samples.items():
        figures[label] = {}
        of_size = {name: [one_round[name] for one_round in rounds] for name in rounds[0]}
        for name, its_samples in of_size.items():
            spread = rates(its_samples)
            figures[label][name] = {
                "requests_per_s": spread.median,
                "low": spread.low,
                "high": spread.high,
                "gib_per_s": spread.median * WORKLOADS[label].size / 2**30,
                "p50_us": median(sample.p50_us for sample in its_samples),
                "p99_us": median(sample.p99_us for sample in its_samples),
                "cpu_us_per_request": cpu_us_per_request(its_samples),
                "foreign_cores": median(sample.foreign_cores for sample in its_samples),
            }
            if name != EDGE and EDGE in of_size:
                ratios[f"{label} edge/{name}"] = paired_ratios(of_size[EDGE], its_samples)
    targets = {name: target for name, target in TARGETS.items() if name in ratios}
    met = reached(ratios, targets)
    told = {
        name: {"median": ratio.median, "low": ratio.low, "high": ratio.high}
        | ({"target": targets[name], "reached": met[name]} if name in targets else {})
        for name, ratio in ratios.items()
    }
    return Report(
        name="hit_path", runs=min(map(len, samples.values())), figures=figures, ratios=told
    )


if __name__ == "__main__":
    options = arguments(__doc__, servers=list(STARTS), needs=NEEDS)
    run(lambda: measure(quick=options.quick, only=tuple(options.only or ())), options)
