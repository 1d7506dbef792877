"""Still pictures of an asset: the poster, and a sprite of thumbnails with its WebVTT track."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Final

from segmenter.encode import TONE_MAP, UNTRUSTED
from segmenter.facts import Facts

POSTER_SIDE_MAX: Final = 720
POSTER_AT: Final = 0.1  # of the duration: past a black beginning
THUMBNAIL_SIDE: Final = 90
THUMBNAILS_MAX: Final = 100
COLUMNS: Final = 10
INTERVAL_MIN_S: Final = 2.0
KEYFRAMES_SUFFICE_S: Final = 4.0
JPEG_TYPE: Final = "image/jpeg"
VTT_TYPE: Final = "text/vtt; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sprite:
    """A sheet of thumbnails: one each `interval_s`, row by row."""

    interval_s: float
    count: int
    width: int  # of one thumbnail
    height: int

    @property
    def rows(self) -> int:
        """Rows of the sheet."""
        return ceil(self.count / COLUMNS)


def plan_sprite(facts: Facts, duration_s: float) -> Sprite | None:
    """Return the sheet for an asset, at most a hundred thumbnails; None without a picture."""
    if facts.video is None:
        return None
    interval_s = max(INTERVAL_MIN_S, duration_s / THUMBNAILS_MAX)
    width, height = _fitted(facts.video.width, facts.video.height, THUMBNAIL_SIDE)
    return Sprite(
        interval_s=interval_s,
        count=max(1, min(THUMBNAILS_MAX, ceil(duration_s / interval_s))),
        width=width,
        height=height,
    )


def draw_sprite(source: Path, facts: Facts, sprite: Sprite, out: Path) -> list[str]:
    """Return the arguments that draw the sheet; only keyframes are decoded where they suffice."""
    few = facts.video is not None and facts.video.keyframe_gap_max_s <= KEYFRAMES_SUFFICE_S
    filters = (
        f"fps=1/{sprite.interval_s:.6f}:start_time=0:round=up,"
        f"scale={sprite.width}:{sprite.height},{_colours(facts)}setsar=1,format=yuvj420p,"
        f"tpad=stop=-1:stop_mode=clone,trim=end_frame={sprite.count},"
        f"tile={min(COLUMNS, sprite.count)}x{sprite.rows}"
    )
    return [
        *("-hide_banner", "-nostdin", "-y", "-v", "error", "-nostats"),
        *(("-skip_frame", "nokey") if few else ()),
        *(*UNTRUSTED, "-i", str(source), "-map", "0:V:0"),
        *("-vf", filters, "-frames:v", "1", "-q:v", "5", "-f", "image2", str(out)),
    ]


def draw_poster(source: Path, facts: Facts, out: Path) -> list[str]:
    """Return the arguments that draw the poster: a frame near the beginning, or a sound's wave."""
    quiet = ["-hide_banner", "-nostdin", "-y", "-v", "error", "-nostats"]
    if facts.video is None:
        wave = "showwavespic=s=1280x720:colors=#4aa3ff,format=yuvj420p"
        return [*quiet, *UNTRUSTED, "-i", str(source), "-filter_complex", f"[0:a:0]{wave}",
                "-frames:v", "1", "-f", "image2", str(out)]  # fmt: skip
    width, height = _fitted(facts.video.width, facts.video.height, POSTER_SIDE_MAX)
    scaled = f"scale={width}:{height},{_colours(facts)}"
    at_s = POSTER_AT * facts.video.duration_s if facts.video.frames > 1 else 0.0
    return [
        *(*quiet, "-ss", f"{at_s:.3f}", *UNTRUSTED, "-i", str(source)),
        *("-map", "0:V:0", "-vf", f"{scaled}setsar=1,format=yuvj420p"),
        *("-frames:v", "1", "-q:v", "3", "-f", "image2", str(out)),
    ]


def thumbnails_vtt(sprite: Sprite, image: str, duration_s: float) -> bytes:
    """Return the WebVTT track that maps times to places in the sheet."""
    lines = ["WEBVTT", ""]
    for n in range(sprite.count):
        start_s, end_s = n * sprite.interval_s, min((n + 1) * sprite.interval_s, duration_s)
        x, y = n % COLUMNS * sprite.width, n // COLUMNS * sprite.height
        place = f"{image}#xywh={x},{y},{sprite.width},{sprite.height}"
        lines += [f"{_clock(start_s)} --> {_clock(end_s)}", place, ""]
    return "\n".join(lines).encode()


def _colours(facts: Facts) -> str:
    """Return the filters that bring HDR to what a JPEG can show, a comma at the end."""
    return f"{TONE_MAP}," if facts.video is not None and facts.video.is_hdr else ""


def _fitted(width: int, height: int, side: int) -> tuple[int, int]:
    """Return even sizes with the short side at most `side`."""
    scale = min(1.0, side / min(width, height))
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


def _clock(time_s: float) -> str:
    ms = round(time_s * 1000)
    return f"{ms // 3_600_000:02d}:{ms // 60_000 % 60:02d}:{ms // 1000 % 60:02d}.{ms % 1000:03d}"
