"""A node of real processes, and everything that can happen to it, for as long as you like.

    python -m tests.node_soak [SECONDS] [--seed N] [--keep DIR]

Every answer is held to what its origin said and what was purged. The exit status is 1 when one was
wrong, or when something was left behind.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from tests.support.soak_judge import Judge
from tests.support.soak_node import SoakNode
from tests.support.soak_operator import Operator
from tests.support.soak_origin import SoakOrigin
from tests.support.soak_player import Crowd, Http1Player, Target
from tests.support.soak_rules import SOAK_RULES
from tests.support.soak_streams import Http2Player
from tests.support.soak_upkeep import complaints_of
from tests.support.soak_world import World

HTTP1_PLAYERS, HTTP2_PLAYERS = 20, 8
PRINTED_MAX = 10


@dataclass
class Outcome:
    """What came of a soak."""

    complaints: list[str]
    says: Counter[str]
    did: Counter[str]
    judged: int


async def soak(root: Path, seconds: float, seed: int) -> Outcome:
    """Run a node in `root` for a while, then see what is left of it."""
    world, target = World(), Target()
    judge = Judge(world)
    origin = SoakOrigin(world, seed)
    node = SoakNode(root, origin.port, target)
    crowd = Crowd(seed, world, judge, target, count(1))
    operator = Operator(judge, origin, node, seed)
    node.rules.write_text(SOAK_RULES[0].text)
    node.certify(0)
    try:
        await origin.rise()
        await node.start(tls=random.Random(seed).random() < 0.7)
        await node.until_whole()
        async with asyncio.TaskGroup() as tasks:
            for number in range(HTTP1_PLAYERS):
                tasks.create_task(Http1Player(crowd, number).play())
            for number in range(HTTP2_PLAYERS):
                tasks.create_task(Http2Player(crowd, number).play())
            await operator.operate(time.monotonic() + seconds)
            crowd.done = True
        left = await complaints_of(node, crowd)
        judge.judge_cut()
    finally:
        node.destroy()
        await origin.close()
    did = operator.did + Counter(lost=crowd.lost, reconnected=crowd.reconnected, lives=node.lives)
    return Outcome([*judge.complaints, *left], judge.says, did, judge.judged)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("seconds", type=float, nargs="?", default=60.0)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--keep", type=Path, help="where disk and log stay")
    told = parser.parse_args()
    print(f"seed {told.seed}", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        root = told.keep or Path(scratch)
        root.mkdir(parents=True, exist_ok=True)
        outcome = asyncio.run(soak(root, told.seconds, told.seed))
    for what, times in outcome.says.most_common():
        print(f"{times:8} {what}")
    print(dict(outcome.did))
    for complaint in outcome.complaints[:PRINTED_MAX]:
        print(f"WRONG {complaint}")
    print(f"seed {told.seed}: {outcome.judged} answers, {len(outcome.complaints)} complaints")
    return 1 if outcome.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
