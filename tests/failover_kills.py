"""The controller is killed between every two things that it does; then all is as it should be.

    python -m tests.failover_kills [--seeds N] [--first SEED] [--only WORDS] [--keep DIR]

Of a switch and of a failover: first nobody is killed, and what the controller does is written down;
then it is killed before and after each of it. A seed draws the order, and each time whether the
same member is started again at once, or another one takes over. The exit status is 1 when anything
was not as it should be.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.support.failover_kills import Kills, Run, kills
from tests.support.kill_gate import Point

KINDS = ("switch", "failover")


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--seeds", type=int, default=1)
    asked.add_argument("--first", type=int, default=0)
    asked.add_argument("--only", default="", help="points whose name has these words")
    asked.add_argument("--keep", type=Path, help="where logs stay")
    told = asked.parse_args()
    runs: list[Run] = []
    with tempfile.TemporaryDirectory(prefix="kills-") as name, kills(told.keep or Path(name)) as it:
        listed = {kind: distinct(it.points(kind)) for kind in KINDS}
        print(*(f"{kind}: {len(points)} points" for kind, points in listed.items()), sep="; ")
        print(f"{'':9} {'killed':52} {'by':10} {'over':>6} {'all':>6} s", flush=True)
        for seed in range(told.first, told.first + told.seeds):
            runs += one_seed(it, seed, listed, told.only)
    wrong = [run for run in runs if run.complaints]
    reached = [run for run in runs if run.reached]
    print(
        f"{len(runs)} runs, {len(reached)} kills: {len(wrong)} did not converge;"
        f" taken over within {max((r.took_over_s for r in reached), default=0):.1f} s,"
        f" converged within {max((r.converged_s for r in reached), default=0):.1f} s"
    )
    return bool(wrong)


def distinct(points: list[Point]) -> list[Point]:
    """Return where to kill: after a question is where nothing has changed since before it."""
    return [each for each in points if not (each.is_after and "read" in each.what)]


def one_seed(it: Kills, seed: int, listed: dict[str, list[Point]], only: str) -> list[Run]:
    draw = random.Random(seed)
    todo = [(kind, each) for kind, points in listed.items() for each in points]
    draw.shuffle(todo)
    runs = []
    for kind, point in todo:
        if only in f"{kind} {point}":
            runs.append(it.run(kind, point, again=draw.random() < 0.5))
            print(runs[-1], flush=True)
            if runs[-1].is_stuck:
                break
    return runs


if __name__ == "__main__":
    sys.exit(main())
