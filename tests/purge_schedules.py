"""Regions in virtual time, each of a seed of its own: nobody may serve what it has acknowledged.

    python -m tests.purge_schedules [--count N] [--first SEED] [--processes N]

Prints the seeds of those in which somebody did. The exit status is 1 when there are any.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.support.region_simulation import Lived, run

PRINTED_MAX = 20


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--count", type=int, default=10_000)
    asked.add_argument("--first", type=int, default=0)
    asked.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    told = asked.parse_args()
    seeds = range(told.first, told.first + told.count)
    began, total, failing = time.monotonic(), Lived(), 0
    with ProcessPoolExecutor(told.processes, initializer=be_quiet) as pool:
        for seed, lived in zip(seeds, pool.map(run, seeds, chunksize=10), strict=True):
            total.answers += lived.answers
            total.shared += lived.shared
            total.peered += lived.peered
            if seed % 1_000 == 999:
                print(f"up to seed {seed}", file=sys.stderr, flush=True)
            if lived.complaints:
                failing += 1
                if failing <= PRINTED_MAX:
                    print(f"seed {seed}: {lived.complaints[0]}", flush=True)
    print(
        f"{told.count} regions in {time.monotonic() - began:.0f} s: {total.answers} answers, "
        f"{total.shared} values from Valkey and {total.peered} answers of peers taken; "
        f"{failing} with something that was purged"
    )
    return bool(failing)


def be_quiet() -> None:
    """What edges warn of is what happens to them here all the time."""
    logging.disable(logging.CRITICAL)


if __name__ == "__main__":
    sys.exit(main())
