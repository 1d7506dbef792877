"""How many hits a second one worker on one core answers, beside nginx and Varnish.

The load runs on another core. Turns are interleaved, ratios are of neighbouring turns, and the
run is refused when a server answers anything but a hit, or complains in its log.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.command import arguments, run
from benchmarks.hit_rows import (
    BY_LABEL,
    ROWS,
    STEADY,
    STEADY_ROUNDS,
    STEADY_SERVERS,
    STEADY_SHARE,
    Row,
)
from benchmarks.line_count import refuse_unless_logged
from benchmarks.load import turn
from benchmarks.origin_client import origin, refuse_unless_alike, warm
from benchmarks.pairing import (
    Sample,
    cpu_us_per_request,
    is_quiet,
    paired_ratios,
    quietest,
    rates,
    refuse_unless_hits,
    turns,
)
from benchmarks.peers import EDGE, STARTS, Place, started
from benchmarks.processes import Server, free_port
from benchmarks.report import Report, is_real_time
from benchmarks.steady import steady
from benchmarks.streams import streams_turn

NEEDS = ("h2load", "nginx", "openssl", "taskset", "varnishd", "varnishncsa", "wrk")
TMPFS = Path("/dev/shm")

Rounds = Sequence[Mapping[str, Sample]]


def measure(*, quick: bool, labels: Sequence[str], only: Sequence[str] = ()) -> Report:
    """Return the rates of all servers, or of `only` some, for each row, and their ratios."""
    samples: dict[str, Rounds] = {}
    at_rate: dict[str, Rounds] = {}
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=tmpfs())))
        source = stack.enter_context(origin(directory))
        for label in labels:
            row = BY_LABEL[label]
            names = [name for name in row.servers if not only or name in only]
            with serving(row, names, directory / label, source) as places:
                samples[label] = quiet_rounds(places, source, row, quick=quick)
                if label == STEADY:
                    log = directory / "steady.log"
                    at_rate = at_steady_rates(places, source, row, samples[label], log)
    return summary(samples, at_rate)


Places = Mapping[str, tuple[Server, Place]]


@contextmanager
def serving(row: Row, names: Sequence[str], directory: Path, source: Server) -> Iterator[Places]:
    """Start the servers of a row, with its object in their caches."""
    with ExitStack() as stack:
        places = {}
        for name in names:
            place = Place(
                directory=directory / name,
                origin_port=source.port,
                port=free_port(),
                tls=row.tls,
                http2=row.http2,
                logs=row.logs,
                workers=row.workers,
                nopush=row.nopush,
            )
            server = stack.enter_context(started(name, place))
            for _ in range(row.workers * 4):  # until each worker has been asked
                warm(server, row.path, row.size)
            refuse_unless_alike(server, row)
            load_of(row)(server, source, row, 1)
            places[name] = server, place
        yield places


def quiet_rounds(
    places: Places, source: Server, row: Row, *, quick: bool
) -> list[Mapping[str, Sample]]:
    """Return as many rounds of {server: sample} as the row wants, the quietest of three times that.

    At real-time priority others wait, so that no round needs to be run again; between turns they
    get as long as a turn took.
    """
    wanted, seconds = (2, 1) if quick else (row.rounds, row.turn_s)
    done: list[Mapping[str, Sample]] = []
    rounds_max = wanted if is_real_time() else 3 * wanted
    for order in turns(list(places), rounds_max):
        one_round = {}
        for name in order:
            one_round[name] = one_turn(*places[name], source, row, seconds)
            if is_real_time():
                time.sleep(seconds)
        done.append(one_round)
        if sum(map(is_quiet, done)) == wanted:
            break
    return quietest(done, wanted)


def one_turn(server: Server, place: Place, source: Server, row: Row, seconds: int) -> Sample:
    """Return what a turn has shown, or refuse the run."""
    if row.logs:
        place.access_log.write_bytes(b"")
    sample = load_of(row)(server, source, row, seconds)
    refuse_unless_hits(server.name, sample, row.body_bytes)
    refuse_unless_alike(server, row)
    if row.logs:
        refuse_unless_logged(server.name, place.access_log, sample.requests)
    return sample


def load_of(row: Row) -> Callable[[Server, Server, Row, int], Sample]:
    """Return what loads a server for a turn."""
    return streams_turn if row.http2 else turn


def at_steady_rates(
    places: Places, source: Server, row: Row, rounds: Rounds, log: Path
) -> dict[str, Rounds]:
    """Return rounds of steady load: `own`, each server at its share of its own maximum, and `same`,
    this edge and nginx at one rate: the share of the slower one's maximum."""
    steady_ones = [name for name in places if name in STEADY_SERVERS]
    maximum = {name: rates([each[name] for each in rounds]).median for name in steady_ones}
    loads = {"own": {name: STEADY_SHARE * rate for name, rate in maximum.items()}}
    both = [name for name in (EDGE, "nginx-tuned") if name in places]
    if len(both) == 2:
        loads["same"] = dict.fromkeys(both, min(loads["own"][name] for name in both))
    found: dict[str, Rounds] = {kind: [] for kind in loads}
    for number in range(STEADY_ROUNDS):
        for kind, rate_of in loads.items():
            (order,) = turns(list(rate_of), number + 1)[-1:]
            one_round = {}
            for name in order:
                one_round[name] = steady(places[name][0], source, row, rate_of[name], log)
                refuse_unless_hits(name, one_round[name], row.body_bytes)
            found[kind] = [*found[kind], one_round]
    return found


def tmpfs() -> str | None:
    """Return where caches of files lie in memory, None (any temporary place) without tmpfs."""
    return str(TMPFS) if TMPFS.is_dir() else None


def summary(samples: Mapping[str, Rounds], at_rate: Mapping[str, Rounds] | None = None) -> Report:
    """Return the report of {label: [{server: sample} of each round]}."""
    figures: dict[str, Any] = {}
    ratios: dict[str, Any] = {}
    for label, rounds in samples.items():
        row = BY_LABEL[label]
        figures[label] = {name: figures_of(row, each) for name, each in by_server(rounds).items()}
        ratios |= ratios_of(row, by_server(rounds))
    for kind, rounds in (at_rate or {}).items():
        label = f"{STEADY} at 70 % of {'its own maximum' if kind == 'own' else 'the lower maximum'}"
        figures[label] = {
            name: figures_of(BY_LABEL[STEADY], each) for name, each in by_server(rounds).items()
        }
        ratios |= p99_ratio(label, figures[label])
    return Report(
        name="hit_path", runs=min(map(len, samples.values())), figures=figures, ratios=ratios
    )


def by_server(rounds: Rounds) -> dict[str, list[Sample]]:
    """Return the samples of each server."""
    return {name: [one_round[name] for one_round in rounds] for name in rounds[0]}


def figures_of(row: Row, samples: Sequence[Sample]) -> dict[str, float]:
    """Return what the turns of one server have shown."""
    spread = rates(samples)
    told = {
        "requests_per_s": spread.median,
        "low": spread.low,
        "high": spread.high,
        "gib_per_s": spread.median * row.body_bytes / 2**30,
    }
    if not row.http2:  # h2load says percentiles in a log only, which would take half of its time
        told["p50_us"] = median(sample.p50_us for sample in samples)
        told["p99_us"] = median(sample.p99_us for sample in samples)
    return told | {
        "cpu_us_per_request": cpu_us_per_request(samples),
        "foreign_cores": median(sample.foreign_cores for sample in samples),
    }


def ratios_of(row: Row, samples: Mapping[str, Sequence[Sample]]) -> dict[str, Any]:
    """Return this edge's paired ratios to the others, and whether they reach what they are to."""
    told: dict[str, Any] = {}
    for name, its_samples in samples.items():
        if name == EDGE or EDGE not in samples:
            continue
        ratio = paired_ratios(samples[EDGE], its_samples)
        told[f"{row.label} edge/{name}"] = {
            "median": ratio.median,
            "low": ratio.low,
            "high": ratio.high,
        } | (
            {"target": row.targets[name], "reached": ratio.median >= row.targets[name]}
            if name in row.targets
            else {}
        )
    return told


def p99_ratio(label: str, figures: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """Return this edge's p99 over nginx's, which is not to be more than 1."""
    if not {EDGE, "nginx-tuned"} <= figures.keys():
        return {}
    ratio = figures[EDGE]["p99_us"] / figures["nginx-tuned"]["p99_us"]
    return {
        f"{label}, p99 edge/nginx-tuned": {"median": ratio, "most": 1.0, "reached": ratio <= 1.0}
    }


if __name__ == "__main__":
    options = arguments(__doc__, servers=list(STARTS), needs=NEEDS, rows=list(BY_LABEL))
    labels = [row.label for row in ROWS if not options.row or row.label in options.row]
    run(
        lambda: measure(quick=options.quick, labels=labels, only=tuple(options.only or ())),
        options,
    )
