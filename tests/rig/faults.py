"""Faults under load: wrong bytes, errors, and what players of each edge waited, second by second.

    python -m tests.rig.faults [--seconds N] [--only NAME …] [--seed N] [--plot FILE.svg] [--json]

Each fault strikes a region of its own: three edges on hosts apart, players, an origin, Valkey. It
lasts N seconds and is compared with the N seconds before it. The exit status is 1 when a byte was
wrong, something purged was served, or a player got an error that the fault does not excuse.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.rig.meter import HIT, LOWER, MISS, Meter, percentile
from tests.rig.namespaces import become_root
from tests.rig.plot import Panel, plot
from tests.rig.region import region
from tests.rig.strikes import FAULTS, upsetting

WARM_UP_S = 8.0  # until what is hot is stored
COMPLAINTS_SHOWN = 5


@dataclass(frozen=True)
class Times:
    """When the measured part, the fault and what follows it begin, and the end of all."""

    before_s: float
    struck_s: float
    ended_s: float
    end_s: float


@dataclass
class Outcome:
    """What came of one fault."""

    fault: str
    seed: int
    times: Times
    judged: int
    complaints: list[str]
    meter: Meter
    edges: Sequence[str]

    @property
    def figures(self) -> dict[str, float]:
        before = (self.times.before_s, self.times.struck_s)
        during = (self.times.struck_s, self.times.ended_s)
        waits = self.meter.waits_ms
        hits = [percentile(waits(HIT, *window), 0.99) for window in (before, during)]
        misses = [waits(MISS, *window) for window in (before, during)]
        medians, p99s = ([percentile(each, q) for each in misses] for q in (0.5, 0.99))
        return {
            "judged": self.judged,
            "wrong": len(self.complaints),
            "errors": sum(self.meter.errors(0.0, self.times.end_s).values()),
            "errors_during": sum(self.meter.errors(*during).values()),
            "from_valkey_before": len(waits(LOWER, *before)),
            "from_valkey_during": len(waits(LOWER, *during)),
            "hits_before": len(waits(HIT, *before)),
            "hit_p99_before_ms": hits[0],
            "hit_p99_during_ms": hits[1],
            "hit_p99_ratio": hits[1] / hits[0],
            "misses_during": len(misses[1]),
            "miss_p50_before_ms": medians[0],
            "miss_p50_gain_ms": medians[1] - medians[0],
            "miss_p99_before_ms": p99s[0],
            "miss_p99_gain_ms": p99s[1] - p99s[0],
        }


async def strike(name: str, seconds: float, seed: int, warm_up_s: float = WARM_UP_S) -> Outcome:
    """Let one fault happen to a region of its own."""
    fault = FAULTS[name]
    told = {"with_log": True, "with_shield": fault.with_shield}
    async with region(seed, fault.servers, **told) as stage:
        marks: list[float] = []

        async def story() -> None:
            began_mono = time.monotonic()
            await asyncio.sleep(warm_up_s)
            marks.append(time.monotonic() - began_mono)
            await asyncio.sleep(seconds)
            marks.append(time.monotonic() - began_mono)
            async with upsetting(stage, fault):
                await asyncio.sleep(seconds)
                marks.append(time.monotonic() - began_mono)
            await asyncio.sleep(seconds)
            marks.append(time.monotonic() - began_mono)

        await stage.play(story)
        return Outcome(
            *(name, seed, Times(*marks), stage.judged, stage.complaints, stage.meter),
            edges=list(stage.edges),
        )


def panel(outcome: Outcome) -> Panel:
    seconds = {name: outcome.meter.by_second(name) for name in outcome.edges}
    return Panel(outcome.fault, outcome.times.struck_s, outcome.times.ended_s, seconds)


def table(outcomes: Sequence[Outcome]) -> Table:
    shown = Table(title="Faults under load")
    columns = {
        "fault": "{fault}",
        "answers": "{judged:.0f}",
        "wrong": "{wrong:.0f}",
        "errors (in the fault)": "{errors:.0f} ({errors_during:.0f})",
        "hits p99 ms": "{hit_p99_before_ms:.1f} → {hit_p99_during_ms:.1f}",
        "ratio": "{hit_p99_ratio:.2f}",
        "misses p50 ms": "{miss_p50_before_ms:.1f} {miss_p50_gain_ms:+.1f}",
        "p99 ms": "{miss_p99_before_ms:.1f} {miss_p99_gain_ms:+.1f}",
        "from Valkey": "{from_valkey_before:.0f} → {from_valkey_during:.0f}",
    }
    for column in columns:
        shown.add_column(column, justify="left" if column == "fault" else "right")
    for each in outcomes:
        row = {"fault": each.fault, **each.figures}
        shown.add_row(*(form.format(**row) for form in columns.values()))
    return shown


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each fault lasts")
    parser.add_argument("--only", action="append", choices=FAULTS, help="one fault; repeatable")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--plot", type=Path, help="an SVG of errors and waits by second")
    parser.add_argument("--json", action="store_true", help="print one object instead of a table")
    told = parser.parse_args()
    become_root("tests.rig.faults")
    outcomes = []
    for name in told.only or FAULTS:
        outcome = asyncio.run(strike(name, told.seconds, told.seed))
        outcomes.append(outcome)
        print(f"{name}: seed {told.seed}, {outcome.judged} answers", file=sys.stderr, flush=True)
        for complaint in outcome.complaints[:COMPLAINTS_SHOWN]:
            print(complaint, file=sys.stderr)
    if told.plot is not None:
        told.plot.write_text(plot([panel(each) for each in outcomes]))
    if told.json:
        print(json.dumps({each.fault: each.figures | asdict(each.times) for each in outcomes}))
    else:
        Console(width=140).print(table(outcomes))
    return 1 if any(each.complaints for each in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
