"""The options that every benchmark takes, and how its end is told."""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence

from benchmarks.needs import missing_packages
from benchmarks.pairing import RunRefusedError
from benchmarks.processes import share_as_niced
from benchmarks.report import Report, publish


def arguments(
    purpose: str | None,
    *,
    servers: Sequence[str] = (),
    needs: Sequence[str] = (),
    rows: Sequence[str] = (),
) -> argparse.Namespace:
    """Return the command line's options: quick, json and, where they differ, only and row.

    Exits with status 2 and the packages to install when a command in `needs` is not there.
    """
    parser = argparse.ArgumentParser(description=purpose)
    parser.add_argument("--quick", action="store_true", help="fewer, shorter turns; not kept")
    parser.add_argument("--json", action="store_true", help="print one JSON object on one line")
    parser.add_argument(
        "--isolated",
        action="store_true",
        help="run load and servers at real-time priority, on a machine that others use (root)",
    )
    if servers:
        parser.add_argument("--only", action="append", choices=servers, help="repeatable; not kept")
    if rows:
        parser.add_argument("--row", action="append", choices=rows, help="repeatable; kept")
    options = parser.parse_args()
    if packages := missing_packages(needs):
        parser.error(f"this needs Debian packages: apt-get install {' '.join(packages)}")
    return options


def run(measure: Callable[[], Report], options: argparse.Namespace) -> None:
    """Measure and publish; exit with status 1 and the reason when the run is refused."""
    if options.isolated:  # inherited by everything that is started
        os.sched_setscheduler(
            0, os.SCHED_RR, os.sched_param(os.sched_get_priority_min(os.SCHED_RR))
        )
    share_as_niced(os.getpid())
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        report = measure()
    except RunRefusedError as refusal:
        sys.exit(f"run refused: {refusal}")
    except KeyboardInterrupt:  # after all that has to be stopped and removed
        sys.exit(128 + signal.SIGINT)
    partial = options.quick or bool(getattr(options, "only", None))
    some_rows = bool(getattr(options, "row", None))
    publish(report, quick=partial, json_only=options.json, part=some_rows)
