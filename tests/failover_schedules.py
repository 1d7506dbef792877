"""Groups of controllers and vantages in virtual time, each of a seed: none moves to what fails.

    python -m tests.failover_schedules [--count N] [--first SEED] [--processes N] [--oscillations N]

Prints the seeds of those that did, and of oscillations that moved more than once in a hold-off.
The exit status is 1 when there are any.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.support.failover_weather import seeded_complaints
from tests.support.failover_world import Lived, run

PRINTED_MAX = 20


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--count", type=int, default=10_000)
    asked.add_argument("--first", type=int, default=0)
    asked.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    asked.add_argument("--oscillations", type=int, default=100)
    told = asked.parse_args()
    seeds = range(told.first, told.first + told.count)
    began, total, failing = time.monotonic(), Lived(), 0
    with ProcessPoolExecutor(told.processes) as pool:
        for seed, lived in zip(seeds, pool.map(run, seeds, chunksize=10), strict=True):
            total.steps += lived.steps
            total.moves += lived.moves
            if seed % 1_000 == 999:
                print(f"up to seed {seed}", file=sys.stderr, flush=True)
            failing += _printed(f"seed {seed}", lived.complaints, failing)
        print(
            f"{told.count} schedules in {time.monotonic() - began:.0f} s: {total.steps} steps, "
            f"{total.moves} moves; {failing} with a move that should not have been",
            flush=True,
        )
        swings = range(told.oscillations)
        found = list(pool.map(seeded_complaints, swings))
        flapping = sum(
            _printed(f"oscillation {seed}", each, 0)
            for seed, each in zip(swings, found, strict=True)
        )
        print(f"{told.oscillations} oscillations; {flapping} moved more than they should have")
    return bool(failing or flapping)


def _printed(name: str, complaints: list[str], before: int) -> bool:
    if complaints and before < PRINTED_MAX:
        print(f"{name}: {complaints[0]}", flush=True)
    return bool(complaints)


if __name__ == "__main__":
    sys.exit(main())
