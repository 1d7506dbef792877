"""Where an asset's segments begin: one list, that every rendition of it shares."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Final

TARGET_S: Final = 4.0
TIMESCALE_MIN: Final = 10_000
GAP_MAX_S: Final = 6.0  # longest segment; a source with a longer keyframe gap is not remuxed


@dataclass(frozen=True, slots=True, kw_only=True)
class Boundaries:
    """Segment starts in ticks since the first frame, strictly rising from 0, then the end."""

    timescale: int
    starts: tuple[int, ...]
    end: int

    def durations_s(self) -> list[float]:
        """Return each segment's length in seconds."""
        return [(b - a) / self.timescale for a, b in pairwise((*self.starts, self.end))]

    def seconds(self, tick: int) -> float:
        """Return the time of a tick since the first frame."""
        return tick / self.timescale


def even_boundaries(duration_s: float, rate: Fraction) -> Boundaries:
    """Return starts about every four seconds, each on a frame of a constant `rate`.

    A rest shorter than half a segment joins the one before it.
    """
    finer = 1 if rate.numerator >= TIMESCALE_MIN else 1000
    timescale, frame = rate.numerator * finer, rate.denominator * finer
    frames = max(1, round(duration_s * rate))
    step = max(1, round(Fraction(TARGET_S) * rate))
    starts = [n * step for n in range(max(1, (frames + step // 2) // step))]
    return Boundaries(
        timescale=timescale, starts=tuple(n * frame for n in starts), end=frames * frame
    )


def keyframe_boundaries(
    keyframes: Sequence[int], duration: int, timescale: int
) -> Boundaries | None:
    """Return starts on a source's own keyframes, or None where a segment would be too long.

    Each segment ends at the keyframe nearest to four seconds after its start, and never later
    than six when an earlier keyframe exists.
    """
    if not keyframes or keyframes[0] != 0:
        return None
    edges = [*keyframes, duration]
    if any(b <= a or (b - a) > GAP_MAX_S * timescale for a, b in pairwise(edges)):
        return None
    starts = [0]
    while (after := _next_start(edges, starts[-1], timescale)) < duration:
        starts.append(after)
    return Boundaries(timescale=timescale, starts=tuple(starts), end=duration)


def _next_start(edges: Sequence[int], start: int, timescale: int) -> int:
    wanted = start + TARGET_S * timescale
    latest = start + GAP_MAX_S * timescale
    later = bisect_left(edges, wanted)
    choices = [edge for edge in edges[max(0, later - 1) : later + 1] if start < edge <= latest]
    return min(choices, key=lambda edge: abs(edge - wanted))  # never empty: no gap is too long
