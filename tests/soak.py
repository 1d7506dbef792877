"""Fuzzing and simulation for as long as you like.

    python -m tests.soak --seconds 600 [--seed N] [NAME ...]

Every failure is printed with the seed that repeats it; the exit status is 1 when there was one.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import time
import traceback
from collections.abc import Callable

from tests.edge.test_exchange_simulation import NODES
from tests.support.exchange_simulation import Shape, simulate
from tests.support.fuzz_targets import TARGETS
from tests.support.simulated_origin import STEADY

PRINTED_MAX = 3000


def exchange(draw: random.Random) -> None:
    """The simulation of players, purges and a dying origin."""
    seed = draw.randrange(1 << 30)
    try:
        simulate(seed, draw.choice([*NODES.values(), Shape(), Shape(STEADY, parts=True)]))
    except BaseException as error:
        raise AssertionError(f"simulation seed {seed}") from error


def soak(names: list[str], seed: int, until_mono: float) -> tuple[int, int]:
    """Go round the targets until it is time; return how many rounds were played and failed."""
    targets: dict[str, Callable[[random.Random], None]] = TARGETS | {"exchange": exchange}
    rounds = failed = 0
    while time.monotonic() < until_mono:
        for name in names or targets:
            try:
                targets[name](random.Random(seed))
            except Exception:  # noqa: BLE001 whatever broke is what is looked for
                failed += 1
                print(f"FAILED {name} --seed {seed}\n{traceback.format_exc()[-PRINTED_MAX:]}")
            rounds += 1
        seed += 1
    return rounds, failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1_000_000)
    parser.add_argument("names", nargs="*", choices=[*TARGETS, "exchange", []])
    told = parser.parse_args()
    logging.disable()  # what origins seem to do is no news here
    rounds, failed = soak(told.names, told.seed, time.monotonic() + told.seconds)
    print(f"{rounds} rounds, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
