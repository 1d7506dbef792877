"""From each fault of a provider to the moment at which nobody is sent there any more.

Three members probe every second; beside each is an edge, and each answers DNS. A service has two
providers, and its name stands at our own servers, at knot (RFC 2136 with TSIG) and at PowerDNS (by
its API). Each fault has a service of its own, and all are tried side by side: from a fault, at a
moment drawn by chance, to (a) the last edge that steers elsewhere, (b) the last that fills from
elsewhere, (c) the last server that answers elsewhere, both at knot and at ours. Then the provider
is good until all of that is back and no vantage has a failure in its window. gdnsd and PowerDNS'
`ifurlup` watch the same providers meanwhile.
"""

from __future__ import annotations

import asyncio
import math
import random
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.command import arguments, run
from benchmarks.failing_provider import Fault
from benchmarks.failover_rig import EDGES, OWN, SECOND, THIRD, Lane, rig
from benchmarks.pairing import RunRefusedError
from benchmarks.report import Report
from benchmarks.sightings import LOOK_S, Sightings

NEEDS = ("gdnsd", "knotd", "openssl", "pdns_server", "sqlite3", "taskset")
RUNS: Final = {True: 2, False: 20}  # by whether the run is quick
INTERVAL_S: Final = 1.0
WINDOW_S: Final = 11.0  # after that no vantage remembers a failure
SEEN_MAX_S: Final = 30.0  # from a fault until all have seen it
BACK_MAX_S: Final = 90.0
EDGE_MAX_S, DNS_MAX_S, HIDDEN_MAX_S = 4.0, 8.0, 10.0
HIDDEN: Final = {Fault.BLACK_HOLE, Fault.HALF}  # what takes longer to be told from bad luck
WHAT: Final = {  # figure: whose last sighting it is
    "steering": [f"steering {name}" for name in EDGES],
    "routes": [f"routes {name}" for name in EDGES],
    "dns": [*OWN, SECOND],
    "dns_own": OWN,
    "dns_knot": [SECOND],
    "dns_powerdns": [THIRD],
}
LIMITS: Final = {"steering": EDGE_MAX_S, "routes": EDGE_MAX_S, "dns": DNS_MAX_S}

Took = dict[str, float]
"""Seconds, by observer; infinite for a peer that has not seen it."""


async def _holds(claim: Callable[[], bool], max_s: float) -> bool:
    """Wait for a claim, at most so long; say whether it holds."""
    until_mono = time.monotonic() + max_s
    while True:
        if claim():
            return True
        if time.monotonic() > until_mono:
            return False
        await asyncio.sleep(LOOK_S)


def _away(lane: Lane, sightings: Sightings) -> list[str]:
    """Return whoever does not send a service to its first target."""
    return [each for each in lane.observers if sightings.now.get((each, lane.name)) != "a"]


async def _one(lane: Lane, sightings: Sightings, draw: random.Random) -> Took:
    """Have a provider fail once; return when each observer saw it."""
    if not await _holds(lambda: not _away(lane, sightings), BACK_MAX_S):
        stuck = ", ".join(_away(lane, sightings))
        raise RunRefusedError(f"{lane.name}: {stuck} did not go back to a provider that is good")
    await asyncio.sleep(INTERVAL_S * draw.random())
    if away := _away(lane, sightings):
        raise RunRefusedError(f"{lane.name}: {', '.join(away)} left a provider that is good")
    began_mono = time.monotonic()
    await lane.first.fail(lane.fault)

    def seen(where: str) -> float | None:
        return sightings.left(where, lane.name, "a", began_mono)

    ours = [each for each in lane.observers if each not in lane.peers]
    try:
        if not await _holds(lambda: all(seen(each) is not None for each in ours), SEEN_MAX_S):
            blind = ", ".join(each for each in ours if seen(each) is None)
            raise RunRefusedError(f"{lane.name}: {blind} did not leave it in {SEEN_MAX_S:g} s")
        left_s = began_mono + SEEN_MAX_S - time.monotonic()
        await _holds(lambda: all(seen(each) is not None for each in lane.peers), left_s)
        return {each: math.inf if (s := seen(each)) is None else s for each in lane.observers}
    finally:
        await lane.first.heal()


async def _try(lane: Lane, sightings: Sightings, runs: int, seed: int) -> list[Took]:
    draw, found = random.Random(seed), []
    for _ in range(runs):
        found.append(await _one(lane, sightings, draw))
        await asyncio.sleep(WINDOW_S)
    return found


def _told(seconds: Sequence[float]) -> dict[str, Any]:
    """Return the median and the worst, of those in which it was seen at all."""
    seen = [each for each in seconds if each < math.inf]
    told: dict[str, Any] = {"median_s": median(seen), "worst_s": max(seen)} if seen else {}
    return told | ({"not_seen": len(seconds) - len(seen)} if len(seen) < len(seconds) else {})


def _last(took: Took, where: Iterable[str]) -> float:
    return max(took[each] for each in where)


def _figures(lane: Lane, found: Sequence[Took]) -> dict[str, Any]:
    figures = {what: _told([_last(each, where) for each in found]) for what, where in WHAT.items()}
    return figures | {peer: _told([each[peer] for each in found]) for peer in lane.peers}


def _ratios(lane: Lane, figures: dict[str, Any]) -> dict[str, Any]:
    ratios: dict[str, Any] = {}
    for what, limit_s in LIMITS.items():
        most_s = HIDDEN_MAX_S if lane.fault in HIDDEN else limit_s
        worst_s = figures[what]["worst_s"]
        ratios[what] = {"worst_s": worst_s, "limit": most_s, "reached": worst_s <= most_s}
    for peer in lane.peers:
        if "median_s" in figures[peer]:
            ratios[f"dns to {peer}"] = figures["dns"]["median_s"] / figures[peer]["median_s"]
    return ratios


async def _measure(faults: Sequence[Fault], runs: int) -> tuple[dict[str, Any], dict[str, Any]]:
    figures: dict[str, Any] = {}
    ratios: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="amaro-failover-") as name:
        async with rig(faults, Path(name), random.Random(1)) as it:
            trying = (_try(lane, it.sightings, runs, seed) for seed, lane in enumerate(it.lanes))
            for lane, found in zip(it.lanes, await asyncio.gather(*trying), strict=True):
                figures[lane.name] = _figures(lane, found)
                ratios[lane.name] = _ratios(lane, figures[lane.name])
    return figures, ratios


def measure(rows: Sequence[str], *, quick: bool) -> Report:
    """Return what was found."""
    figures, ratios = asyncio.run(_measure([Fault(each) for each in rows], RUNS[quick]))
    return Report(name="failover", runs=RUNS[quick], figures=figures, ratios=ratios)


if __name__ == "__main__":
    ALL = [each.value for each in Fault]
    OPTIONS = arguments(__doc__, needs=NEEDS, rows=ALL)
    run(lambda: measure(OPTIONS.row or ALL, quick=OPTIONS.quick), OPTIONS)
