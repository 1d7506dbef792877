"""Errors and waits second by second, as an SVG."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.rig.meter import HIT, MISS, Second, percentile
from tests.support.svg_frame import COLOURS, Frame, document, text

WIDTH, ROW, LEFT, TOP = 980, 170, 110, 46
GAP = 40  # between the three parts of a row
FLOOR_MS, CEILING_MS = 0.1, 10_000.0  # of the logarithmic scale


@dataclass(frozen=True)
class Panel:
    """One fault: when it was there, and each edge's seconds."""

    title: str
    struck_s: float
    ended_s: float
    edges: Mapping[str, Mapping[int, Second]]

    @property
    def last_s(self) -> int:
        return max((second for each in self.edges.values() for second in each), default=0) + 1


def plot(panels: Sequence[Panel]) -> str:
    """All faults below each other: errors, 99th percentile of hits, and of misses."""
    height = TOP + ROW * len(panels) + 24
    lines = []
    names = list(dict.fromkeys(name for each in panels for name in each.edges))
    for number, name in enumerate(names):
        at = LEFT + 90 * number
        colour = COLOURS[number % len(COLOURS)]
        lines.append(f'<rect x="{at}" y="12" width="12" height="4" fill="{colour}"/>')
        lines.append(text(at + 16, 18, name))
    part = (WIDTH - LEFT - 2 * GAP - 10) / 3
    for number, title in enumerate(("errors a second", "hits p99, ms", "misses p99, ms")):
        lines.append(text(LEFT + number * (part + GAP), 36, title))
    for number, panel in enumerate(panels):
        y = TOP + ROW * number
        lines.append(text(4, y + 20, panel.title))
        for at, values in enumerate((_errors(panel), _waits(panel, HIT), _waits(panel, MISS))):
            x = LEFT + at * (part + GAP)
            frame = WaitFrame(x, y, part, ROW - 30, panel.last_s)
            lines += frame.ground(panel.struck_s, panel.ended_s)
            lines += frame.counts(values) if at == 0 else frame.waits(values)
    return document(WIDTH, height, lines)


Values = Mapping[str, Mapping[int, float]]


def _errors(panel: Panel) -> Values:
    return {
        name: {at: float(second.errors) for at, second in seconds.items()}
        for name, seconds in panel.edges.items()
    }


def _waits(panel: Panel, result: str) -> Values:
    return {
        name: {
            at: percentile(sorted(second.waits_ms[result]), 0.99)
            for at, second in seconds.items()
            if second.waits_ms[result]
        }
        for name, seconds in panel.edges.items()
    }


@dataclass(frozen=True)
class WaitFrame(Frame):
    """Where waits are drawn."""

    def waits(self, values: Values) -> list[str]:
        """Curves over a logarithmic scale."""
        shown = [each for of in values.values() for each in of.values()]
        low, high = _decades(shown)
        span = math.log10(high / low)

        def height_of(value: float) -> float:
            value = min(high, max(low, value))
            return self.y + self.height * (1 - math.log10(value / low) / span)

        lines = []
        for power in range(round(math.log10(low)), round(math.log10(high)) + 1):
            y = height_of(10.0**power)
            lines.append(
                f'<line x1="{self.x:.1f}" x2="{self.x + self.width:.1f}" y1="{y:.1f}" '
                f'y2="{y:.1f}" stroke="#ddd"/>'
            )
            lines.append(text(self.x - 30, y + 4, f"{10.0**power:g}"))
        for number, seconds in enumerate(values.values()):
            colour = COLOURS[number % len(COLOURS)]
            for run in _runs(seconds):
                points = " ".join(
                    f"{self.at(at + 0.5):.1f},{height_of(seconds[at]):.1f}" for at in run
                )
                lines.append(
                    f'<polyline points="{points}" fill="none" stroke="{colour}" '
                    'stroke-width="1.5"/>'
                )
        return lines


def _decades(values: Iterable[float]) -> tuple[float, float]:
    """Powers of ten around all values."""
    known = [min(CEILING_MS, max(FLOOR_MS, each)) for each in values] or [1.0]
    low = 10.0 ** math.floor(math.log10(min(known)))
    return low, max(10.0 * low, 10.0 ** math.ceil(math.log10(max(known))))


def _runs(seconds: Mapping[int, float]) -> list[list[int]]:
    """Seconds in order, apart where one is missing."""
    runs: list[list[int]] = []
    for at in sorted(seconds):
        if runs and runs[-1][-1] == at - 1:
            runs[-1].append(at)
        else:
            runs.append([at])
    return runs
