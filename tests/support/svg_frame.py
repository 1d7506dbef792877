"""Frames of an SVG in which something goes on over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

COLOURS: Final = ("#1f77b4", "#d95f02", "#2a9d55", "#9467bd")
SHADE: Final = "#f3e3e3"


@dataclass(frozen=True)
class Frame:
    """Where one curve of time is drawn."""

    x: float
    y: float
    width: float
    height: float
    last_s: float

    def at(self, second: float) -> float:
        """The place of a moment."""
        return self.x + self.width * second / self.last_s

    def ground(self, begin_s: float, end_s: float) -> list[str]:
        """The frame, the fault's time, and the seconds."""
        left, right = self.at(begin_s), self.at(end_s)
        bottom = self.y + self.height
        down = f'y="{self.y}" height="{self.height}"'
        return [
            f'<rect x="{left:.1f}" width="{right - left:.1f}" {down} fill="{SHADE}"/>',
            f'<rect x="{self.x:.1f}" width="{self.width:.1f}" {down} fill="none" stroke="#999"/>',
            text(self.x, bottom + 13, "0 s"),
            text(self.x + self.width - 22, bottom + 13, f"{self.last_s:.0f} s"),
        ]

    def counts(self, values: Mapping[str, Mapping[int, float]]) -> list[str]:
        """Columns from zero; of several names side by side within a second."""
        most = max((each for of in values.values() for each in of.values()), default=0.0) or 1.0
        wide = self.width / self.last_s / (len(values) + 1)
        lines = [text(self.x - 26, self.y + 10, f"{most:.0f}")]
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

    def curve(self, points: Sequence[tuple[float, float]], most: float, colour: str) -> list[str]:
        """A line through (second, value), from zero to `most`."""
        told = " ".join(
            f"{self.at(second):.1f},{self.y + self.height * (1 - min(value, most) / most):.1f}"
            for second, value in points
        )
        return [f'<polyline points="{told}" fill="none" stroke="{colour}" stroke-width="1.5"/>']


def text(x: float, y: float, said: str, colour: str = "#333") -> str:
    """A line of text."""
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}">{escape(said)}</text>'


def document(width: float, height: float, lines: Sequence[str]) -> str:
    """The whole file."""
    size = f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11"'
    paper = f'<rect width="{width}" height="{height}" fill="#fff"/>'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>'
    return "\n".join([head, paper, *lines, "</svg>"]) + "\n"
