"""Each fault of a provider once, before somebody who watches in Chromium.

    python -m tests.steering_page [--fault NAME ...] [--out DIR]

The fault strikes with 8 to 12 s in the buffer. The player hears of it from nobody for 10 s, the
longest that a controller may take; it ends after 15 s, and after 17 s players are told to come
back. Two more come while it lasts: one from an edge that is well, one through the provider that
is not. With --out, `steering.svg` has the curves and `steering.jpg` a strip of frames. The exit
status is 1 when playback ran dry or jumped, a first frame took more than 6 s, or a player did not
move or return.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.support.packaged_clip import package
from tests.support.steered_page import CUT, EVERY_FAULT, stage
from tests.support.steering_film import Film, film
from tests.support.steering_pictures import plot, strip

CLOCK = "testsrc=s=640x360:r=25:decimals=1"  # its picture says what time it is


def table(films: Sequence[Film]) -> Table:
    shown = Table(title="A provider fails, and who watches")
    for column in (
        "fault", "buffer at it, s", "left after, s", "least buffer, s", "stalls",
        "back after, s", "first frame, s", "through it, s",
    ):  # fmt: skip
        fault = column == "fault"
        shown.add_column(column, justify="left" if fault else "right", no_wrap=fault)
    for each in films:
        seconds = (
            each.ahead_s, each.left_s, each.least_s, each.back_s,
            each.first_frame_s, each.first_frame_behind_s,
        )  # fmt: skip
        at, left, least, back, first, behind = (
            "never" if value is None else f"{value:.1f}" for value in seconds
        )
        shown.add_row(each.fault, at, left, least, str(len(each.stalls)), back, first, behind)
    return shown


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fault", action="append", choices=EVERY_FAULT, help="repeatable")
    parser.add_argument("--out", type=Path, help="a directory for steering.svg and steering.jpg")
    told = parser.parse_args()
    films = []
    with tempfile.TemporaryDirectory() as folder:
        clip, work = Path(folder) / "clip", Path(folder) / "cdns"
        work.mkdir()
        package(clip, replace(CUT, picture=CLOCK, duration_s=60))
        with stage(clip, work) as running:
            for fault in told.fault or EVERY_FAULT:
                films.append(film(running, fault))
                print(f"{fault}: {films[-1].stalls or 'no stall'}", file=sys.stderr, flush=True)
    if told.out is not None:
        told.out.mkdir(parents=True, exist_ok=True)
        (told.out / "steering.svg").write_text(plot(films))
        strip(films).save(told.out / "steering.jpg", quality=45, optimize=True)
    Console(width=110).print(table(films))
    return 0 if all(each.shows_it for each in films) else 1


if __name__ == "__main__":
    sys.exit(main())
