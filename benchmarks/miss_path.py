"""How one worker on one core answers what it does not hold, beside nginx and Varnish.

Crowds: clients who ask at once for one cold object of an origin that sends 1 MiB/s; a lag is
from the first client's first body byte to another's. Streams of cold objects: bytes and CPU time.
Single small ones: how much later a first byte comes than from the origin itself. Load and origin
have the other core. The run is refused when anybody gets other bytes than the origin has.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count, islice
from math import ceil
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.cold import first_bytes, stream
from benchmarks.command import arguments, run
from benchmarks.crowd import Client, ask_all, close, connect
from benchmarks.hit_path import tmpfs
from benchmarks.miss_rows import LABELS, NGINX, ROWS, SERVERS, Crowd, Single, Stream
from benchmarks.origin_client import fetch, origin, requests_so_far
from benchmarks.origin_server import body
from benchmarks.pairing import RunRefusedError, Spread, turns
from benchmarks.peers import EDGE, LOAD_CORE, Place, complaints, started
from benchmarks.processes import Server, free_port
from benchmarks.readers import raise_descriptor_limit
from benchmarks.report import Report

NEEDS = ("nginx", "taskset", "varnishd")
LIMIT_S = 60.0
WARM = 1  # byte that everybody has
OPEN_FILES = 8192
CROWD_ROUNDS, COLD_ROUNDS = 3, 5

Seen = dict[str, list[dict[str, float]]]  # by server, what each of its turns has shown


def measure(*, quick: bool, labels: Sequence[str] = LABELS, only: Sequence[str] = ()) -> Report:
    """Return what each row has shown of all servers, or of `only` some."""
    names = [name for name in SERVERS if not only or name in only]
    os.sched_setaffinity(0, {LOAD_CORE})
    raise_descriptor_limit(OPEN_FILES)
    seen: dict[str, Seen] = {}
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=tmpfs())))
        source = stack.enter_context(origin(directory))
        for row in ROWS:
            if row.label not in labels:
                continue
            fetch(source, f"/fast/{row.size}")  # the origin makes the body now, not in a turn
            with serving(names, directory / row.label, source) as servers:
                if isinstance(row, Crowd):
                    seen[row.label] = crowd_turns(row, servers, source, 1 if quick else None)
                elif isinstance(row, Stream):
                    seen[row.label] = stream_turns(row, servers, source, 2 if quick else None)
                else:
                    seen[row.label] = single_turns(row, servers, source, 2 if quick else None)
    return summary(seen)


@contextmanager
def serving(
    names: Sequence[str], directory: Path, source: Server
) -> Iterator[Mapping[str, Server]]:
    """Start the servers of a row, each with nothing but one byte in its cache."""
    with ExitStack() as stack:
        servers = {}
        for name in names:
            place = Place(directory=directory / name, origin_port=source.port, port=free_port())
            servers[name] = stack.enter_context(started(name, place))
            fetch(servers[name], f"/fast/{WARM}")
        yield servers
        for server in servers.values():
            for line in complaints(server):
                raise RunRefusedError(f"{server.name} logged an error: {line}")


def crowd_turns(
    row: Crowd, servers: Mapping[str, Server], source: Server, rounds: int | None
) -> Seen:
    """Return the lags of each server's crowds, in milliseconds."""
    seen: Seen = {name: [] for name in servers}
    for number, order in enumerate(turns(list(servers), rounds or CROWD_ROUNDS)):
        for name in order:
            path = f"/slow/{row.size}?run={number}"
            seen[name].append(one_crowd(servers[name], source, row, path))
    return seen


def one_crowd(server: Server, source: Server, row: Crowd, path: str) -> dict[str, float]:
    """Let all clients ask one server for one cold object; return what was seen.

    Each is answered once before that, as players are who have read a playlist: no accept is timed.
    """
    clients = connect(server.port, row.clients)
    try:
        ask_all(clients, f"/fast/{WARM}", body(WARM), LIMIT_S)
        refuse_unless_complete(server.name, clients, WARM)
        before, cpu_before_s = requests_so_far(source), server.cpu_s()
        ask_all(clients, path, body(row.size), LIMIT_S)
    finally:
        close(clients)
    refuse_unless_complete(server.name, clients, row.size)
    return lags(clients) | {
        "origin_requests": requests_so_far(source) - before,
        "cpu_us_per_client": (server.cpu_s() - cpu_before_s) * 1e6 / row.clients,
    }


def refuse_unless_complete(name: str, clients: list[Client], size: int) -> None:
    """Raise RunRefusedError when any client got anything but the object, whole and identical."""
    for client in clients:
        if client.status != 200 or client.received != size or not client.identical:
            raise RunRefusedError(
                f"{name} gave a client status {client.status} and {client.received} of {size} "
                f"bytes, {'the right' if client.identical else 'wrong'} ones"
            )


def lags(clients: list[Client]) -> dict[str, float]:
    """Return the leader's first byte and the last byte of all since the first request, others'
    lags behind the leader, and how late the load itself was to look at a first byte."""
    asked_s = min(client.sent_s for client in clients)
    firsts = sorted(client.first_byte_s for client in clients)
    return {
        "leader_first_byte_ms": (firsts[0] - asked_s) * 1e3,
        "median_lag_ms": (firsts[len(firsts) // 2] - firsts[0]) * 1e3,
        "p99_lag_ms": (percentile(firsts, 0.99) - firsts[0]) * 1e3,
        "worst_lag_ms": (firsts[-1] - firsts[0]) * 1e3,
        "all_complete_ms": (max(client.last_byte_s for client in clients) - asked_s) * 1e3,
        "load_late_ms": max(client.seen_s - client.first_byte_s for client in clients) * 1e3,
    }


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value that `share` of the ordered values do not exceed."""
    return ordered[ceil(share * len(ordered)) - 1]


def stream_turns(
    row: Stream, servers: Mapping[str, Server], source: Server, rounds: int | None
) -> Seen:
    """Return throughput and CPU time of each server's turns; each object is asked for once."""
    names = (f"/fast/{row.size}?{row.label}-{number}" for number in count())
    seen: Seen = {name: [] for name in servers}
    for server in servers.values():
        stream(server.port, islice(names, max(row.before, 4)), row.size, row.connections)
    mib = row.size * row.objects / 2**20
    for order in turns(list(servers), rounds or COLD_ROUNDS):
        for name in order:
            server, asked = servers[name], requests_so_far(source)
            cpu_s = server.cpu_s()
            seconds = stream(server.port, islice(names, row.objects), row.size, row.connections)
            cpu_s = server.cpu_s() - cpu_s
            if requests_so_far(source) - asked != row.objects:
                raise RunRefusedError(f"{name} did not ask the origin once for each object")
            seen[name].append({"mib_per_s": mib / seconds, "cpu_us_per_mib": cpu_s * 1e6 / mib})
    return seen


def single_turns(
    row: Single, servers: Mapping[str, Server], source: Server, rounds: int | None
) -> Seen:
    """Return how much later first bytes come than from the origin, in microseconds."""
    names = (f"/fast/{row.size}?{row.label}-{number}" for number in count())
    seen: Seen = {name: [] for name in servers}
    for server in (source, *servers.values()):
        first_bytes(server.port, islice(names, row.objects), row.size)
    for order in turns(list(servers), rounds or COLD_ROUNDS):
        direct = sorted(first_bytes(source.port, islice(names, row.objects), row.size))
        for name in order:
            server = servers[name]
            cpu_s = server.cpu_s()
            took = sorted(first_bytes(server.port, islice(names, row.objects), row.size))
            cpu_s = server.cpu_s() - cpu_s
            seen[name].append(
                {
                    "added_us": (median(took) - median(direct)) * 1e6,
                    "added_p99_us": (percentile(took, 0.99) - percentile(direct, 0.99)) * 1e6,
                    "first_byte_us": median(took) * 1e6,
                    "cpu_us_per_request": cpu_s * 1e6 / row.objects,
                }
            )
    return seen


def summary(seen: Mapping[str, Seen]) -> Report:
    """Return the report of what the turns of each row have shown."""
    figures: dict[str, Any] = {}
    ratios: dict[str, Any] = {}
    for row in ROWS:
        if row.label not in seen:
            continue
        by_server = seen[row.label]
        figures[row.label] = {name: spreads(found) for name, found in by_server.items()}
        if isinstance(row, Crowd):
            ratios |= crowd_limits(row, by_server)
        elif isinstance(row, Stream):
            ratios |= compared(row.label, by_server, "mib_per_s", least=1.0)
            ratios |= compared(row.label, by_server, "cpu_us_per_mib")
        else:
            ratios |= compared(row.label, by_server, "added_us", most=1.0)
            ratios |= compared(row.label, by_server, "added_p99_us", most=1.0)
    runs = min(len(found) for by_server in seen.values() for found in by_server.values())
    return Report(name="miss_path", runs=runs, figures=figures, ratios=ratios)


def spreads(found: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Return median, lowest and highest of each thing that turns have shown."""
    told = {}
    for key in found[0]:
        spread = Spread.of([one[key] for one in found])
        told[key] = {"median": spread.median, "low": spread.low, "high": spread.high}
    return told


def crowd_limits(row: Crowd, seen: Seen) -> dict[str, Any]:
    """Return whether this edge keeps within its limits in every run."""
    limits = {"worst_lag_ms": row.worst_lag_ms, "p99_lag_ms": row.p99_lag_ms, "origin_requests": 1}
    told = {}
    for key, limit in limits.items():
        if limit is not None and EDGE in seen:
            worst = max(one[key] for one in seen[EDGE])
            reached = worst <= limit
            told[f"{row.label} edge {key}"] = {"worst": worst, "limit": limit, "reached": reached}
    return told


def compared(
    label: str, seen: Seen, key: str, *, least: float | None = None, most: float | None = None
) -> dict[str, Any]:
    """Return this edge's ratios to the others, round by round, and what nginx's is to be."""
    told: dict[str, Any] = {}
    for name, found in seen.items():
        if name == EDGE or EDGE not in seen:
            continue
        ratio = Spread.of([our[key] / its[key] for our, its in zip(seen[EDGE], found, strict=True)])
        told[f"{label} {key} edge/{name}"] = {
            "median": ratio.median,
            "low": ratio.low,
            "high": ratio.high,
        }
        if name == NGINX and least is not None:
            told[f"{label} {key} edge/{name}"] |= {"least": least, "reached": ratio.median >= least}
        if name == NGINX and most is not None:
            told[f"{label} {key} edge/{name}"] |= {"most": most, "reached": ratio.median <= most}
    return told


if __name__ == "__main__":
    options = arguments(__doc__, servers=SERVERS, needs=NEEDS, rows=LABELS)
    run(
        lambda: measure(
            quick=options.quick,
            labels=tuple(options.row or LABELS),
            only=tuple(options.only or ()),
        ),
        options,
    )
