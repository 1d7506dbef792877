"""The ladder: which renditions an asset gets, in which order. One pure function, facts in."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Final

from segmenter.boundaries import Boundaries, even_boundaries, keyframe_boundaries
from segmenter.facts import Facts, VideoFacts

# Short side in pixels: peak bits per second of a 16:9 picture at 30 frames per second.
GRID: Final = {240: 450_000, 360: 900_000, 540: 1_900_000, 720: 3_200_000, 1080: 5_800_000}
FIRST_SIDE: Final = 360  # what a viewer gets first when the source must be encoded
OWN_SIZE_FROM: Final = 1.15  # a source this much larger than its best grid rung keeps its own size
REMUX_BPS_MAX: Final = 12_000_000  # a heavier source is no first rendition for a phone's line
RATE_MAX: Final = Fraction(60)
RATE_MIN: Final = Fraction(5)
STILL_RATE: Final = Fraction(10)
STANDARD_RATES: Final = tuple(
    Fraction(n, d)
    for n, d in (
        (24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1),
        (48, 1), (50, 1), (60000, 1001), (60, 1),
    )
)  # fmt: skip
REMUX_PIXELS: Final = frozenset({"yuv420p", "yuvj420p"})
REMUX_PROFILES: Final = frozenset({"Constrained Baseline", "Baseline", "Main", "High"})

# H.264 levels (ITU-T H.264 table A-1): macroblocks per second, per frame, in a picture buffer.
LEVELS: Final = (
    ("2.1", 19_800, 792),
    ("3.0", 40_500, 1_620),
    ("3.1", 108_000, 3_600),
    ("3.2", 216_000, 5_120),
    ("4.0", 245_760, 8_192),
    ("4.2", 522_240, 8_704),
    ("5.0", 589_824, 22_080),
    ("5.1", 983_040, 36_864),
    ("5.2", 2_073_600, 36_864),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One rendition to make. `is_remux` copies the source's frames instead of encoding."""

    name: str
    width: int
    height: int
    maxrate_bps: int
    crf: float
    preset: str
    level: str
    is_remux: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """The renditions of an asset, in the order in which they are made and published."""

    rungs: tuple[Rung, ...]  # empty for sound alone
    boundaries: Boundaries
    rate: tuple[int, int]  # frames per second; of a remuxed source its average
    keeps_times: bool  # frames keep the source's times, instead of a constant rate
    has_audio: bool
    duration_s: float

    @property
    def first(self) -> Rung | None:
        """The rendition that makes the asset watchable."""
        return self.rungs[0] if self.rungs else None


def choose_ladder(facts: Facts, *, may_remux: bool = True) -> Ladder:
    """Return the renditions for a source: a quick one first, then better, then lighter ones."""
    if facts.video is None:
        boundaries = even_boundaries(facts.duration_s, Fraction(50))
        return Ladder(
            rungs=(), boundaries=boundaries, rate=(0, 1), keeps_times=False,
            has_audio=True, duration_s=facts.duration_s,
        )  # fmt: skip
    cuts = remux_boundaries(facts) if may_remux else None
    rate = Fraction(*facts.video.rate) if cuts else constant_rate(facts.video)
    boundaries = cuts or even_boundaries(facts.duration_s, rate)
    return Ladder(
        rungs=_in_order(facts.video, rate, is_remux=cuts is not None),
        boundaries=boundaries,
        rate=(rate.numerator, rate.denominator),
        keeps_times=cuts is not None,
        has_audio=facts.audio is not None,
        duration_s=boundaries.seconds(boundaries.end),
    )


def remux_boundaries(facts: Facts) -> Boundaries | None:
    """Return the segment starts of a source that can be published as it is, else None.

    It must be H.264 that every player decodes, upright, with closed groups of pictures that are
    short enough, not heavier than a phone's line, and its sound must not outlast its picture.
    """
    video = facts.video
    if video is None or video.codec != "h264" or video.pixel_format not in REMUX_PIXELS:
        return None
    fits = (
        video.profile in REMUX_PROFILES
        and video.rotation == 0
        and video.square_pixels
        and not video.interlaced
        and not video.is_hdr
        and video.is_closed
        and video.is_clean
        and video.width % 2 == video.height % 2 == 0
        and video.bandwidth_bps <= REMUX_BPS_MAX
        and Fraction(*video.rate) <= RATE_MAX + 1
        and facts.duration_s <= video.duration_s
    )
    if not fits:
        return None
    return keyframe_boundaries(video.keyframes, video.duration, video.timescale)


def constant_rate(video: VideoFacts) -> Fraction:
    """Return the frame rate for an encoded asset: the source's, made constant and sensible."""
    rate = Fraction(*(video.usual_rate if video.is_variable else video.rate))
    if rate < RATE_MIN:
        return STILL_RATE
    while rate > RATE_MAX * Fraction(101, 100):
        rate /= 2
    nearest = min(STANDARD_RATES, key=lambda standard: abs(standard - rate))
    is_near = abs(nearest - rate) <= nearest / 100
    if is_near or video.is_variable:
        return nearest
    return rate.limit_denominator(1001)


def rung_sizes(width: int, height: int) -> list[tuple[int, int, int]]:
    """Return (short side, width, height) of every rung, smallest first, never above the source."""
    short = min(width, height)
    sides = [side for side in GRID if side <= short]
    largest = sides[-1] if sides else 0
    if short >= largest * OWN_SIZE_FROM and largest < max(GRID):
        sides.append(short)
    return [(side, *_scaled(width, height, side)) for side in sides]


def peak_bps(width: int, height: int, rate: Fraction) -> int:
    """Return the peak bit rate for a picture, from the grid by its area; more above 30 frames."""
    pixels = width * height
    points = [(side * side * 16 // 9, bps) for side, bps in GRID.items()]
    (small, low), (large, high) = points[0], points[-1]
    for (p0, b0), (p1, b1) in pairwise(points):
        if p0 <= pixels <= p1:
            (small, low), (large, high) = (p0, b0), (p1, b1)
    if pixels <= points[0][0]:
        bps = max(120_000, low * pixels // small)
    elif pixels >= points[-1][0]:
        bps = high
    else:
        bps = low + (high - low) * (pixels - small) // (large - small)
    return int(bps * 1.4) if rate > 31 else int(bps)


def h264_level(width: int, height: int, rate: Fraction) -> str:
    """Return the lowest H.264 level that allows the picture (ITU-T H.264 A.3.1)."""
    blocks = -(-width // 16) * -(-height // 16)
    for level, per_second, per_frame in LEVELS:
        if blocks <= per_frame and blocks * rate <= per_second:
            return level
    return LEVELS[-1][0]


def _in_order(video: VideoFacts, rate: Fraction, *, is_remux: bool) -> tuple[Rung, ...]:
    sizes = rung_sizes(video.width, video.height)
    rungs = [_rung(side, width, height, rate) for side, width, height in sizes]
    if not is_remux:
        first = max((r for r in rungs if _side(r) <= FIRST_SIDE), key=_side, default=rungs[0])
        quick = _rung(_side(first), first.width, first.height, rate, preset="superfast")
        return (quick, *_others(rungs, first))
    own = Rung(
        name=f"{video.short_side}p", width=video.width, height=video.height,
        maxrate_bps=video.bandwidth_bps, crf=0.0, preset="", level="", is_remux=True,
    )  # fmt: skip
    lighter = [rung for rung in rungs if _side(rung) * OWN_SIZE_FROM <= video.short_side]
    first = max((r for r in lighter if _side(r) <= FIRST_SIDE), key=_side, default=own)
    return (own, *([] if first is own else [first]), *_others(lighter, first))


def _others(rungs: list[Rung], first: Rung) -> list[Rung]:
    """Return the rest: better ones first, then lighter ones for slow lines."""
    better = [rung for rung in rungs if _side(rung) > _side(first)]
    lighter = [rung for rung in rungs if _side(rung) < _side(first)]
    return better + lighter[::-1]


def _rung(side: int, width: int, height: int, rate: Fraction, preset: str = "veryfast") -> Rung:
    return Rung(
        name=f"{side}p",
        width=width,
        height=height,
        maxrate_bps=peak_bps(width, height, rate),
        crf=23.0,
        preset=preset,
        level=h264_level(width, height, rate),
    )


def _side(rung: Rung) -> int:
    return int(rung.name.removesuffix("p"))


def _scaled(width: int, height: int, side: int) -> tuple[int, int]:
    """Return even sizes with the source's aspect, not above it, at least 2."""
    short = min(width, height)
    scale = Fraction(side, short)
    return _even(width * scale, width), _even(height * scale, height)


def _even(wanted: Fraction, limit: int) -> int:
    return max(2, min(2 * round(wanted / 2), limit - limit % 2))
