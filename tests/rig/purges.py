"""Seeded schedules of purges on the rig, with faults in between: nothing purged is ever served.

    python -m tests.rig.purges [--count N] [--seed N] [--seconds N]

Each schedule has a region of its own, with a purge log, Valkey, and an edge with a disk; with odd
seeds edges ask each other (the shield), and some are behind. Orders go to the log or to an edge
while edges are stopped, killed, cut off and restarted, and the log and Valkey die. No response that
starts after its edge acknowledged a purge, or was started, may carry content from before it. The
exit status is 1 when one did; its seed is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter
from dataclasses import dataclass

from tests.rig.namespaces import become_root
from tests.rig.purge_schedule import Schedule, purged_paths
from tests.rig.region import EDGES, region
from tests.support.soak_player import Http1Player
from tests.support.soak_upkeep import ask_everything

PLAYERS = 4  # of each edge
DURABLE = "south"  # the edge with a disk
COMPLAINTS_SHOWN = 3
LOG_LINES_SHOWN = 40  # of each edge, when there are complaints


class HurriedPlayer(Http1Player):
    """Asks so often that most purges meet a fill."""

    pauses_s = (0.0, 0.02, 0.05, 0.1)


@dataclass
class Outcome:
    """What came of one schedule."""

    complaints: list[str]
    judged: int
    acknowledged: int
    did: Counter[str]
    says: Counter[str]
    logs: list[str]


async def play(seed: int, seconds: float, *, edges: tuple[str, ...] = EDGES) -> Outcome:
    """Play one schedule."""
    told = {"with_log": True, "with_shield": bool(seed % 2), "with_disk": (DURABLE,)}
    async with region(seed, edges=edges, **told) as stage:
        for crowd in stage.crowds.values():
            crowd.asked_for = purged_paths()
        schedule = Schedule(stage, seed)
        await stage.play(lambda: schedule.run(seconds), player=HurriedPlayer, players=PLAYERS)
        for crowd in stage.crowds.values():
            await ask_everything(crowd)
        judges = [crowd.judge for crowd in stage.crowds.values()]
        says = sum((judge.says for judge in judges), Counter[str]())
        promised = schedule.promises.acknowledged
        complaints = stage.complaints
        logs = [*stage.last_said(LOG_LINES_SHOWN)] if complaints else []
        return Outcome(complaints, stage.judged, promised, schedule.did, says, logs)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=50, help="how many schedules")
    parser.add_argument("--seed", type=int, default=1, help="of the first; each has the next one")
    parser.add_argument("--seconds", type=float, default=6.0, help="how long each takes")
    told = parser.parse_args()
    become_root("tests.rig.purges")
    wrong = 0
    total: Counter[str] = Counter()
    for seed in range(told.seed, told.seed + told.count):
        outcome = asyncio.run(play(seed, told.seconds))
        wrong += bool(outcome.complaints)
        total += outcome.did + Counter(
            {"answers": outcome.judged, "acknowledgements": outcome.acknowledged}
        )
        print(
            f"seed {seed}: {outcome.judged} answers, {outcome.did['orders']} orders, "
            f"{outcome.acknowledged} acknowledgements, {len(outcome.complaints)} wrong",
            flush=True,
        )
        for line in (*outcome.complaints[:COMPLAINTS_SHOWN], *outcome.logs):
            print(line, flush=True)
    print(f"{told.count} schedules, {wrong} of them wrong; {dict(total.most_common())}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
