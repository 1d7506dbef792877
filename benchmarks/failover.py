"""From each fault of a provider to the moment at which nobody is sent there any more.

Three members probe every second; beside each is an edge, a node of its own, and each answers DNS.
A service has two providers, and its name stands at our own servers, at knot (RFC 2136 with TSIG)
and at PowerDNS (by its API). Each fault has a service of its own, and all are tried side by side:
from a fault, at a moment drawn by chance, to (a) the last edge of which all workers steer
elsewhere, (b) the last of which all fill from elsewhere, (c) the last server that answers
elsewhere, both at knot and at ours. Then the provider is good until all of that is back and no
vantage has a failure in its window. gdnsd and PowerDNS' `ifurlup` watch the same providers
meanwhile.
"""

from __future__ import annotations

import asyncio
import math
import random
import tempfile
import time
from collections import Counter
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
APART_S: Final = 2.5  # the first failures of two services: one provider fails at a time, as a rule
WINDOW_S: Final = 11.0  # after that no vantage remembers a failure
SEEN_MAX_S: Final = 30.0  # from a fault until all have seen it
BACK_MAX_S: Final = 180.0
STRAYED_MAX: Final = 60  # observers of one fault; a machine on which they do is no place for this
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


async def _all_there(lane: Lane, sightings: Sightings, draw: random.Random) -> list[str]:
    """Return at a moment of chance at which everybody sends a service to its first target.

    Gives whoever had left it before that moment, though it was good.
    """
    strayed: list[str] = []
    while True:
        if not await _holds(lambda: not _away(lane, sightings), BACK_MAX_S):
            stuck = ", ".join(_away(lane, sightings))
            raise RunRefusedError(f"{lane.name}: {stuck} did not go back to what is good")
        await asyncio.sleep(INTERVAL_S * draw.random())
        if not (away := _away(lane, sightings)):
            return strayed
        strayed += away
        if len(strayed) > STRAYED_MAX:
            raise RunRefusedError(f"{lane.name}: {', '.join(away)} left what is good, too often")


async def _one(lane: Lane, sightings: Sightings) -> Took:
    """Have a provider fail once; return when each observer saw it."""
    began_mono = time.monotonic()
    await lane.first.fail(lane.fault)

    def seen(where: str) -> float | None:
        return sightings.left(where, lane.name, "a", began_mono)

    try:
        await _holds(lambda: all(seen(each) is not None for each in lane.observers), SEEN_MAX_S)
        return {each: math.inf if (s := seen(each)) is None else s for each in lane.observers}
    finally:
        await lane.first.heal()


async def _try(
    lane: Lane, sightings: Sightings, runs: int, seed: int
) -> tuple[list[Took], list[str]]:
    draw, found, strayed = random.Random(seed), list[Took](), list[str]()
    await asyncio.sleep(APART_S * seed)
    for _ in range(runs):
        strayed += await _all_there(lane, sightings, draw)
        found.append(await _one(lane, sightings))
        await asyncio.sleep(WINDOW_S)
    return found, strayed


def _told(seconds: Sequence[float]) -> dict[str, Any]:
    """Return the median and the worst, of those in which it was seen at all."""
    seen = [each for each in seconds if each < math.inf]
    told: dict[str, Any] = {"median_s": median(seen), "worst_s": max(seen)} if seen else {}
    return told | ({"not_seen": len(seconds) - len(seen)} if len(seen) < len(seconds) else {})


def _last(took: Took, where: Iterable[str]) -> float:
    return max(took[each] for each in where)


def _figures(lane: Lane, found: Sequence[Took], strayed: Sequence[str]) -> dict[str, Any]:
    figures: dict[str, Any] = {
        what: _told([_last(each, where) for each in found]) for what, where in WHAT.items()
    }
    figures |= {peer: _told([each[peer] for each in found]) for peer in lane.peers}
    return figures | ({"left_what_is_good": dict(Counter(strayed))} if strayed else {})


def _ratios(lane: Lane, figures: dict[str, Any]) -> dict[str, Any]:
    ratios: dict[str, Any] = {}
    for what, limit_s in LIMITS.items():
        most_s = HIDDEN_MAX_S if lane.fault in HIDDEN else limit_s
        told = figures[what]
        reached = "not_seen" not in told and told["worst_s"] <= most_s
        ratios[what] = {"worst_s": told.get("worst_s"), "limit": most_s, "reached": reached}
    for peer in lane.peers:
        if "median_s" in figures[peer] and "median_s" in figures["dns"]:
            ratios[f"dns to {peer}"] = figures["dns"]["median_s"] / figures[peer]["median_s"]
    return ratios


async def _measure(faults: Sequence[Fault], runs: int) -> tuple[dict[str, Any], dict[str, Any]]:
    figures: dict[str, Any] = {}
    ratios: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="amaro-failover-") as name:
        async with rig(faults, Path(name), random.Random(1)) as it:
            trying = (_try(lane, it.sightings, runs, seed) for seed, lane in enumerate(it.lanes))
            tried = await asyncio.gather(*trying)
            for lane, (found, strayed) in zip(it.lanes, tried, strict=True):
                figures[lane.name] = _figures(lane, found, strayed)
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
