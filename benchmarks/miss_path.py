"""How soon 100 clients get one cold 8 MiB object of an origin that sends 1 MiB/s.

All are connected, and accepted, beforehand and ask at once. The lag is from the first client's
first body byte to the last one's. The run is refused when a client gets other bytes than the origin
has.
"""

import os
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.command import arguments, run
from benchmarks.crowd import Client, ask_all, close, connect
from benchmarks.origin_client import fetch, origin, requests_so_far
from benchmarks.origin_server import SLOW_BYTES_PER_S, body
from benchmarks.pairing import RunRefusedError, Spread
from benchmarks.peers import EDGE, LOAD_CORE, Place, started
from benchmarks.processes import Server, free_port
from benchmarks.report import Report

CLIENTS = 100
SIZE = 8 * 1024 * 1024
QUICK_SIZE = 1024 * 1024
NEEDS = ("nginx", "taskset", "varnishd")
SERVERS = (EDGE, "nginx-tuned", "varnish")
LIMIT_S = 60.0
ACCEPTED_S = 0.2  # the kernel connects clients that no server has looked at yet
LAG_MAX_MS = 10.0
ORIGIN_REQUESTS_MAX = 1


def measure(*, quick: bool, only: tuple[str, ...] = ()) -> Report:
    """Return each server's lags and origin requests; a run is one cold object for all clients."""
    runs, size = (1, QUICK_SIZE) if quick else (3, SIZE)
    names = [name for name in SERVERS if not only or name in only]
    os.sched_setaffinity(0, {LOAD_CORE})
    seen: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        source = stack.enter_context(origin(directory))
        servers = {}
        for name in names:
            servers[name] = stack.enter_context(
                started(
                    name,
                    Place(directory=directory / name, origin_port=source.port, port=free_port()),
                )
            )
        fetch(source, f"/fast/{size}")  # the origin makes the body now, not in the first run
        for server in servers.values():
            fetch(server, "/fast/1")  # it listens before it serves
        for number in range(runs):
            for name in names:
                path = f"/slow/{size}?run={number}"
                seen[name].append(one_miss(servers[name], source, path, body(size)))
    return summary(seen, size)


def one_miss(server: Server, source: Server, path: str, expected: bytes) -> dict[str, float]:
    """Let all clients ask one server for one cold object; return what was seen, in milliseconds."""
    before = requests_so_far(source)
    clients = connect(server.port, CLIENTS)
    time.sleep(ACCEPTED_S)
    try:
        ask_all(clients, path, expected, LIMIT_S)
    finally:
        close(clients)
    refuse_unless_complete(server.name, clients, len(expected))
    return lags(clients) | {"origin_requests": requests_so_far(source) - before}


def refuse_unless_complete(name: str, clients: list[Client], size: int) -> None:
    """Raise RunRefusedError when any client got anything but the object, whole and identical."""
    for client in clients:
        if client.status != 200 or client.received != size or not client.identical:
            raise RunRefusedError(
                f"{name} gave a client status {client.status} and {client.received} of {size} "
                f"bytes, {'the right' if client.identical else 'wrong'} ones"
            )


def lags(clients: list[Client]) -> dict[str, float]:
    """Return the leader's first and last body byte since the first request, and others' lags."""
    asked_s = min(client.sent_s for client in clients)
    firsts = sorted(client.first_byte_s for client in clients)
    lasts = sorted(client.last_byte_s for client in clients)
    return {
        "leader_first_byte_ms": (firsts[0] - asked_s) * 1e3,
        "median_lag_ms": (firsts[len(firsts) // 2] - firsts[0]) * 1e3,
        "worst_lag_ms": (firsts[-1] - firsts[0]) * 1e3,
        "all_complete_ms": (lasts[-1] - asked_s) * 1e3,
    }


def summary(seen: dict[str, list[dict[str, float]]], size: int) -> Report:
    """Return the report of {server: [what each run saw]}."""
    figures: dict[str, Any] = {
        "object": {"bytes": size, "clients": CLIENTS, "origin_bytes_per_s": SLOW_BYTES_PER_S}
    }
    ratios: dict[str, Any] = {}
    for name, runs in seen.items():
        spreads = {key: Spread.of([one[key] for one in runs]) for key in runs[0]}
        figures[name] = {
            key: {"median": spread.median, "low": spread.low, "high": spread.high}
            for key, spread in spreads.items()
        }
    if EDGE in seen:
        worst = {key: max(one[key] for one in seen[EDGE]) for key in seen[EDGE][0]}
        limits = {"worst_lag_ms": LAG_MAX_MS, "origin_requests": ORIGIN_REQUESTS_MAX}
        for key, limit in limits.items():
            met = worst[key] <= limit
            ratios[f"edge {key}"] = {"worst": worst[key], "limit": limit, "reached": met}
        for name in seen:
            if name != EDGE:
                ratios[f"worst lag {name}/edge"] = (
                    figures[name]["worst_lag_ms"]["median"]
                    / figures[EDGE]["worst_lag_ms"]["median"]
                )
    return Report(
        name="miss_path", runs=min(map(len, seen.values())), figures=figures, ratios=ratios
    )


if __name__ == "__main__":
    options = arguments(__doc__, servers=SERVERS, needs=NEEDS)
    run(lambda: measure(quick=options.quick, only=tuple(options.only or ())), options)
