"""How near the eviction tournament comes to the best fixed policy, on traces of many kinds.

Each trace is replayed through every policy and the tournament, at 1 % and 10 % of its footprint,
for either objective; FIFO is the floor, a policy that knows the future the bound. `libcachesim` is
the referee: on objects of equal size it must find the same hit ratios for our four policies.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.referee import referee
from benchmarks.replay import belady, fifo, replay
from benchmarks.report import Report, publish
from benchmarks.traces import KEPT_ASIDE, RATE_PER_S, SYNTHETIC, Trace, recorded
from cache_policies.contest import Objective
from cache_policies.shadow import POLICIES, Name
from cache_policies.tournament import Tournament

SHARES = {"1 %": 0.01, "10 %": 0.1}  # of the footprint
LOSS_MAX_POINTS = 1.0  # of the best fixed policy
REFEREE_MAX_POINTS = 1.0
REQUESTS, QUICK_REQUESTS = 120_000, 40_000
SEED = 2026


def measure(traces: Iterator[Trace], seed: int, say: bool) -> Report:
    """Return hit ratios in per cent and the tournament's losses in points."""
    figures: dict[str, Any] = {"seed": seed}
    ratios: dict[str, Any] = {}
    runs = 0
    for trace in traces:
        figures[trace.name] = {
            "requests": len(trace),
            "footprint_mb": trace.footprint_bytes / 1e6,
            "hours": trace.times_s[-1] / 3600,
            "kept_aside": trace.name in KEPT_ASIDE,
        }
        for label, share in SHARES.items():
            found = at(trace, int(trace.footprint_bytes * share))
            for objective in Objective:
                ratios[f"{trace.name} {label} {objective}"] = verdict(found, objective)
            figures[f"{trace.name} {label}"] = found
            runs += 1
            if say:
                sys.stderr.write(f"{trace.name} {label} {json.dumps(found)}\n")
        checked = referee(trace)
        if checked is not None:
            figures[f"{trace.name} referee"] = checked
            worst = max(abs(one["difference"]) for one in checked.values())
            ratios[f"{trace.name} referee"] = {
                "worst_points": worst,
                "limit": REFEREE_MAX_POINTS,
                "reached": worst <= REFEREE_MAX_POINTS,
            }
    return Report(name="hit_ratio", runs=runs, figures=figures, ratios=ratios)


def at(trace: Trace, budget_bytes: int) -> dict[str, dict[str, float | str]]:
    """Return {objective: {policy: hit ratio in per cent}} at one size."""
    fixed = {"fifo": fifo(trace, budget_bytes)}
    for name, policy in POLICIES.items():
        make: Any = policy
        fixed[name] = replay(trace, make(budget_bytes))
    told: dict[str, dict[str, float | str]] = {}
    for objective in Objective:
        tournament = Tournament[Name](budget_bytes, objective)
        ratio = replay(trace, tournament).of(objective)
        told[objective] = {name: 100 * found.of(objective) for name, found in fixed.items()}
        told[objective] |= {
            "belady": 100 * belady(trace, budget_bytes, objective).of(objective),
            "tournament": 100 * ratio,
            "switches": tournament.switches,
            "last": tournament.running,
        }
    return told


def verdict(found: dict[str, dict[str, Any]], objective: Objective) -> dict[str, Any]:
    """Return how many points the tournament lost to the best fixed policy."""
    mine = found[objective]
    best = max(POLICIES, key=lambda name: mine[name])
    loss = mine[best] - mine["tournament"]
    reached = loss <= LOSS_MAX_POINTS
    return {"best": best, "loss_points": loss, "limit": LOSS_MAX_POINTS, "reached": reached}


def traces_of(options: argparse.Namespace) -> Iterator[Trace]:
    """Yield the recorded traces, then the synthetic ones, those kept aside last."""
    for path in options.traces:
        yield recorded(path, options.rate)
    requests = QUICK_REQUESTS if options.quick else REQUESTS
    for make in (*SYNTHETIC.values(), *KEPT_ASIDE.values()):
        yield make(options.seed, requests)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and publish; a full run that had a recorded trace is kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("traces", nargs="*", type=Path, help="lines `sequence object bytes` (.xz)")
    parser.add_argument("--rate", type=float, default=RATE_PER_S, help="of theirs, requests a s")
    parser.add_argument("--seed", type=int, default=SEED, help="of the synthetic traces")
    parser.add_argument("--quick", action="store_true", help="shorter traces; not kept")
    parser.add_argument("--json", action="store_true", help="print one JSON object on one line")
    options = parser.parse_args(arguments)
    report = measure(traces_of(options), options.seed, say=not options.json)
    publish(report, quick=options.quick or not options.traces, json_only=options.json)


if __name__ == "__main__":
    main()
