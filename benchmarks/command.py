"""The options that every benchmark takes, and how its end is told."""

import argparse
import sys
from collections.abc import Callable, Sequence

from benchmarks.pairing import RunRefusedError
from benchmarks.report import Report, publish


def arguments(purpose: str | None, *, servers: Sequence[str] = ()) -> argparse.Namespace:
    """Return the command line's options: quick, json and, where servers differ, only."""
    parser = argparse.ArgumentParser(description=purpose)
    parser.add_argument("--quick", action="store_true", help="fewer, shorter turns; not kept")
    parser.add_argument("--json", action="store_true", help="print one JSON object on one line")
    if servers:
        parser.add_argument("--only", action="append", choices=servers, help="repeatable; not kept")
    return parser.parse_args()


def run(measure: Callable[[], Report], options: argparse.Namespace) -> None:
    """Measure and publish; exit with status 1 and the reason when the run is refused."""
    try:
        report = measure()
    except RunRefusedError as refusal:
        sys.exit(f"run refused: {refusal}")
    partial = options.quick or bool(getattr(options, "only", None))
    publish(report, quick=partial, json_only=options.json)
