"""Errors and waits second by second, as an SVG."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from tests.rig.meter import HIT, MISS, Second, percentile

WIDTH, ROW, LEFT, TOP = 980, 170, 110, 46
GAP = 40  # between the three parts of a row
FLOOR_MS, CEILING_MS = 0.1, 10_000.0  # of the logarithmic scale
COLOURS = ("#1f77b4", "#d95f02", "#2a9d55", "#9467bd")
SHADE = "#f3e3e3"


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
    size = f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="11"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
    ]
    names = list(dict.fromkeys(name for each in panels for name in each.edges))
    for number, name in enumerate(names):
        at = LEFT + 90 * number
        colour = COLOURS[number % len(COLOURS)]
        lines.append(f'<rect x="{at}" y="12" width="12" height="4" fill="{colour}"/>')
        lines.append(_text(at + 16, 18, name))
    part = (WIDTH - LEFT - 2 * GAP - 10) / 3
    for number, title in enumerate(("errors a second", "hits p99, ms", "misses p99, ms")):
        lines.append(_text(LEFT + number * (part + GAP), 36, title))
    for number, panel in enumerate(panels):
        y = TOP + ROW * number
        lines.append(_text(4, y + 20, panel.title))
        for at, values in enumerate((_errors(panel), _waits(panel, HIT), _waits(panel, MISS))):
            x = LEFT + at * (part + GAP)
            frame = Frame(x, y, part, ROW - 30, panel.last_s)
            lines += frame.ground(panel)
            lines += frame.counts(values) if at == 0 else frame.waits(values)
    return "\n".join([*lines, "</svg>"]) + "\n"


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
class Frame:
    """Where one curve of time is drawn."""

    x: float
    y: float
    width: float
    height: float
    last_s: int

    def at(self, second: float) -> float:
        return self.x + self.width * second / self.last_s

    def ground(self, panel: Panel) -> list[str]:
        """The frame, the fault's time, and the seconds."""
        left, right = self.at(panel.struck_s), self.at(panel.ended_s)
        bottom = self.y + self.height
        down = f'y="{self.y}" height="{self.height}"'
        return [
            f'<rect x="{left:.1f}" width="{right - left:.1f}" {down} fill="{SHADE}"/>',
            f'<rect x="{self.x:.1f}" width="{self.width:.1f}" {down} fill="none" stroke="#999"/>',
            _text(self.x, bottom + 13, "0 s"),
            _text(self.x + self.width - 22, bottom + 13, f"{self.last_s} s"),
        ]

    def counts(self, values: Values) -> list[str]:
        """Columns from zero; edges side by side within a second."""
        most = max((each for of in values.values() for each in of.values()), default=0.0) or 1.0
        wide = self.width / self.last_s / (len(values) + 1)
        lines = [_text(self.x - 26, self.y + 10, f"{most:.0f}")]
        for number, seconds in enumerate(values.values()):
            for second, value in seconds.items():
                if value:
                    high = self.height * value / most
                    lines.append(
                        f'<rect x="{self.at(second) + number * wide:.1f}" '
                        f'y="{self.y + self.height - high:.1f}" width="{wide:.1f}" '
                        f'height="{high:.1f}" fill="{COLOURS[number % len(COLOURS)]}"/>'
                    )
        return lines

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
            lines.append(_text(self.x - 30, y + 4, f"{10.0**power:g}"))
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


def _text(x: float, y: float, text: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="#333">{escape(text)}</text>'
