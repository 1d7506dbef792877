"""What prewarming is worth, and what it wastes: seeded viewers, with it and without, side by side.

Rows: `steady` an edge that has been watched for a while; `restart` one that is filled from what it
counted before, against one that was not restarted and one that is not filled. Both in virtual time,
by the edge's own decisions. `node` plays a video from a real node. Curves of retention and traces
of mobile networks come from directories of files; without them they are made.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from benchmarks.prewarm_node import node
from benchmarks.prewarm_world import World, ratio, waste
from benchmarks.report import Report, publish
from benchmarks.viewers import Crowd

MB: Final = 1_000_000
LATER_MIN: Final = 0.995
WASTE_MAX: Final = 0.3
RESTARTED_MAX: Final = 0.02
WARM_S: Final = 20.0


def steady(crowd: Crowd, seconds: float, memory_bytes: int) -> dict[str, Any]:
    """Measure an edge after the first third of the time."""
    found = {}
    for name, prewarms in (("without", False), ("with", True)):
        world = World(crowd, memory_bytes, prewarms=prewarms)
        world.counts_from_s = seconds / 3.0
        world.run(crowd.views(seconds), seconds)
        found[name] = told(world)
    return found


def restart(crowd: Crowd, seconds: float, memory_bytes: int) -> dict[str, Any]:
    """Measure the quarter of the time after a restart at its half."""
    found = {}
    half_s = seconds / 2.0
    views = list(crowd.views(0.75 * seconds))
    before = [view for view in views if view.begins_s < half_s]
    for name in ("not_restarted", "restarted", "not_filled"):
        world = World(crowd, memory_bytes, prewarms=True)
        world.run(before, half_s)
        filled: dict[str, float] = {}
        if name != "not_restarted":
            world.begin()
        if name == "restarted":
            took_s, size_bytes, objects = world.warm(WARM_S)
            filled = {"filled_s": took_s, "filled_mb": size_bytes / MB, "objects": objects}
        world.counts.first.clear()
        world.counts.later.clear()
        after_s = world.now_s
        late = [
            replace(view, begins_s=view.begins_s + after_s - half_s)
            for view in views
            if view.begins_s >= half_s
        ]
        world.run(late, after_s + seconds / 4.0)
        found[name] = told(world) | filled
    return found


def told(world: World) -> dict[str, Any]:
    """What a world's players met."""
    counts = world.counts
    waits = {f"waits {why}": number for why, number in sorted(world.chooser.waits.items())}
    return (
        {
            "first_hits": ratio(counts.first),
            "later_hits": ratio(counts.later),
            "requests": sum(counts.first.values()) + sum(counts.later.values()),
            "origin_requests": counts.origin_requests,
            "origin_mb": counts.origin_bytes / MB,
        }
        | waste(world)
        | waits
    )


def measure(options: argparse.Namespace) -> Report:
    """Return what each row found, and whether it is within the limits."""
    crowd = Crowd(
        stories=400 if options.quick else 2000,
        per_s=4.0 if options.quick else 6.0,
        seed=options.seed,
        retention=options.retention,
        network=options.network,
    )
    seconds = 600.0 if options.quick else 1800.0
    memory_bytes = (800 if options.quick else 2000) * MB
    rows = options.row or list(ROWS)
    figures = {name: ROWS[name](crowd, seconds, memory_bytes) for name in rows}
    ratios = {}
    if "steady" in figures:
        found = figures["steady"]["with"]
        later, wasted = found["later_hits"], found["waste"]
        ratios["steady later_hits"] = limit(later, LATER_MIN, reached=later >= LATER_MIN)
        ratios["steady waste"] = limit(wasted, WASTE_MAX, reached=wasted < WASTE_MAX)
    if "restart" in figures:
        rates = {name: each["first_hits"] for name, each in figures["restart"].items()}
        less = rates["not_restarted"] - rates["restarted"]
        ratios["restart first_hits"] = limit(less, RESTARTED_MAX, reached=less <= RESTARTED_MAX)
    figures["viewers"] = crowd.told() | {"seconds": seconds, "memory_mb": memory_bytes / MB}
    return Report(name="prewarm", runs=1, figures=figures, ratios=ratios)


def limit(found: float, bound: float, *, reached: bool) -> dict[str, Any]:
    """A figure beside its limit."""
    return {"found": found, "limit": bound, "reached": reached}


ROWS: Final = {
    "steady": steady,
    "restart": restart,
    "node": lambda *_: node(),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--retention", type=Path, help="files *.txt of lines `second share`")
    parser.add_argument("--network", type=Path, help="files *.txt[.xz] of lines `second Mbit/s`")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="fewer viewers; not kept")
    parser.add_argument("--json", action="store_true", help="print one JSON object on one line")
    parser.add_argument("--row", action="append", choices=list(ROWS), help="repeatable; kept")
    options = parser.parse_args(arguments)
    publish(
        measure(options), quick=options.quick, json_only=options.json, part=options.row is not None
    )


if __name__ == "__main__":
    main()
