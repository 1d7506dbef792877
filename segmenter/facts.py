"""What is known about a source, read from a probe's reports; or why it is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from statistics import median
from typing import Any, Final

HDR_TRANSFERS: Final = frozenset({"smpte2084", "arib-std-b67"})
VARIABLE_SHARE: Final = (
    0.02  # of frame intervals that may differ from the median in a constant rate
)
VARIABLE_DEVIATION: Final = (
    0.25  # of the median interval; jitter of container clocks stays below it
)


class Refusal(StrEnum):
    """Why a source cannot become a video, in words for the person who uploaded it."""

    EMPTY = "The file is empty: nothing was uploaded. Please choose the video again."
    NOT_MEDIA = "This file is not a video or audio file that we can read."
    CUT_OFF = (
        "The file is incomplete: it was cut off before its index, so it cannot be played. "
        "Please upload it again."
    )
    NO_STREAMS = "The file has neither a picture nor sound in it."
    NO_FRAMES = "The file says that it holds a video, but there is no picture or sound in it."
    TOO_LARGE = "The picture is larger than 8192 pixels on a side, which we cannot convert."
    TOO_LONG = "The video is too long for this server."
    DAMAGED = "The video is damaged: its picture cannot be decoded."
    TOO_COMPLEX = "The video needed more memory or time to read than this server allows."


class RefusedError(Exception):
    """The source will never become watchable; retrying is useless. `args[0]` is the sentence."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFacts:
    """One video stream as people see it: sizes are after rotation and with square pixels."""

    codec: str
    width: int
    height: int
    rotation: int  # degrees, a multiple of 90 in [0, 360)
    square_pixels: bool
    pixel_format: str
    profile: str
    transfer: str
    interlaced: bool
    rate: tuple[int, int]  # frames per second, average, numerator and denominator
    usual_rate: tuple[int, int]  # from the median interval between frames
    is_variable: bool
    bandwidth_bps: int
    timescale: int  # ticks per second of the times below
    keyframes: tuple[int, ...]  # presentation ticks since the first frame, sorted
    frames: int
    duration: int  # ticks
    start_s: float  # of the first frame, in the container's clock
    is_closed: bool  # no frame that follows a keyframe is shown before it
    is_clean: bool  # starts at a keyframe, every packet is shown and says when

    @property
    def duration_s(self) -> float:
        """Seconds from the first frame to the end of the last."""
        return self.duration / self.timescale

    @property
    def short_side(self) -> int:
        """Pixels of the shorter side, which names a rung."""
        return min(self.width, self.height)

    @property
    def is_hdr(self) -> bool:
        """Say whether the transfer function is PQ or HLG."""
        return self.transfer in HDR_TRANSFERS

    @property
    def keyframe_gap_max_s(self) -> float:
        """Seconds of the longest run without a keyframe, the last one included."""
        edges = (*self.keyframes, self.duration)
        return max((b - a for a, b in pairwise(edges)), default=self.duration) / self.timescale


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioFacts:
    """The sound stream that will be heard."""

    index: int  # of the stream in the file
    codec: str
    channels: int
    sample_rate: int
    start_s: float
    duration_s: float  # 0 when the container does not say


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A source that can be made watchable: at least one of picture and sound."""

    container: str
    start_s: float  # the earliest time of any stream: what ffmpeg calls zero
    duration_s: float
    video: VideoFacts | None
    audio: AudioFacts | None


@dataclass(frozen=True, slots=True)
class Packet:
    """One coded frame as the container lists it, in decoding order."""

    pts: int
    duration: int
    is_keyframe: bool
    is_discarded: bool  # before or after what an edit list shows
    is_timed: bool = True  # False when the container knows no presentation time


def read_facts(report: Mapping[str, Any], packets: Sequence[Packet]) -> Facts:
    """Return the facts of a source from ffprobe's JSON `report` and its video stream's packets.

    Raises RefusedError when there is nothing to watch or hear.
    """
    streams = report.get("streams", [])
    container = report.get("format", {})
    video = read_video(_picture(streams), packets, int(container.get("bit_rate", 0)))
    audio = read_audio(next((s for s in streams if _is_sound(s)), None))
    if video is None and audio is None:
        raise RefusedError(Refusal.NO_FRAMES if streams else Refusal.NO_STREAMS)
    return Facts(
        container=str(container.get("format_name", "")),
        start_s=_seconds(container.get("start_time")),
        duration_s=_asset_duration_s(video, audio, _seconds(container.get("duration"))),
        video=video,
        audio=audio,
    )


def read_packets(listing: str) -> list[Packet]:
    """Return the packets of ffprobe's `pts,dts,duration,flags` lines; a missing pts is the dts."""
    packets = []
    for line in listing.splitlines():
        fields = line.split(",")
        if len(fields) < 4:
            continue
        pts, dts, duration, flags = fields[:4]
        time = pts if pts != "N/A" else dts
        if time == "N/A":
            continue
        packets.append(
            Packet(
                pts=int(time),
                duration=0 if duration == "N/A" else int(duration),
                is_keyframe="K" in flags,
                is_discarded="D" in flags,
                is_timed=pts != "N/A",
            )
        )
    return packets


def read_video(
    stream: Mapping[str, Any] | None, packets: Sequence[Packet], container_bps: int = 0
) -> VideoFacts | None:
    """Return the facts of a video stream, None without one or without a frame in it."""
    if stream is None or not packets:
        return None
    base = Fraction(stream["time_base"])
    timescale = int(1 / base) if base.numerator == 1 else 90_000
    scale = base * timescale
    shown = [packet for packet in packets if not packet.is_discarded] or packets
    times = sorted(packet.pts for packet in shown)
    first = times[0]
    gaps = [b - a for a, b in pairwise(times) if b > a]
    usual = median(gaps) if gaps else 0
    last = max(shown, key=lambda packet: packet.pts)
    duration = last.pts - first + (last.duration or round(usual))
    width, height, square = _shown_size(stream)
    rotation = _rotation(stream)
    average = _rate(stream.get("avg_frame_rate")) or _rate(stream.get("r_frame_rate"))
    counted = Fraction(len(times)) / (duration * base) if duration > 0 else Fraction(0)
    return VideoFacts(
        codec=str(stream.get("codec_name", "")),
        width=height if rotation in {90, 270} else width,
        height=width if rotation in {90, 270} else height,
        rotation=rotation,
        square_pixels=square,
        pixel_format=str(stream.get("pix_fmt", "")),
        profile=str(stream.get("profile", "")),
        transfer=str(stream.get("color_transfer", "")),
        interlaced=str(stream.get("field_order", "progressive")) not in {"progressive", "unknown"},
        rate=_pair(average or counted),
        usual_rate=_pair(1 / (Fraction(usual) * base) if usual else counted),
        is_variable=_is_variable(gaps, usual),
        bandwidth_bps=int(stream.get("bit_rate", container_bps)),
        timescale=timescale,
        keyframes=tuple(sorted(int((p.pts - first) * scale) for p in shown if p.is_keyframe)),
        frames=len(times),
        duration=int(duration * scale),
        start_s=float(first * base),
        is_closed=_is_closed(packets),
        is_clean=packets[0].is_keyframe and all(p.is_timed and not p.is_discarded for p in packets),
    )


def read_audio(stream: Mapping[str, Any] | None) -> AudioFacts | None:
    """Return the facts of a sound stream, None without one."""
    if stream is None:
        return None
    return AudioFacts(
        index=int(stream["index"]),
        codec=str(stream.get("codec_name", "")),
        channels=int(stream.get("channels", 0)),
        sample_rate=int(stream.get("sample_rate", 0)),
        start_s=_seconds(stream.get("start_time")),
        duration_s=_seconds(stream.get("duration")),
    )


def parse_report(text: str) -> dict[str, Any]:
    """Return ffprobe's JSON report; an unreadable one is an empty one."""
    try:
        report = json.loads(text)
    except ValueError:
        return {}
    return report if isinstance(report, dict) else {}


def _picture(streams: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the first real video stream: cover art of a song is not one."""
    for stream in streams:
        cover = stream.get("disposition", {}).get("attached_pic", 0)
        if stream.get("codec_type") == "video" and not cover and stream.get("width"):
            return stream
    return None


def _is_sound(stream: Mapping[str, Any]) -> bool:
    return stream.get("codec_type") == "audio" and int(stream.get("channels", 0)) > 0


def _shown_size(stream: Mapping[str, Any]) -> tuple[int, int, bool]:
    """Return width and height with square pixels, and whether they were square."""
    width, height = int(stream["width"]), int(stream["height"])
    aspect = _rate(str(stream.get("sample_aspect_ratio", "1:1")).replace(":", "/")) or Fraction(1)
    if aspect == 1 or not Fraction(1, 8) < aspect < 8:
        return width, height, True
    return max(1, round(width * aspect)), height, False


def _rotation(stream: Mapping[str, Any]) -> int:
    for side in stream.get("side_data_list", []):
        if "rotation" in side:
            return round(float(side["rotation"]) / 90) * 90 % 360
    return 0


def _is_variable(gaps: Sequence[int], usual: float) -> bool:
    """Say whether frames come at uneven times, beyond the jitter of a container's clock."""
    odd = sum(abs(gap - usual) > max(1.0, VARIABLE_DEVIATION * usual) for gap in gaps)
    return odd > VARIABLE_SHARE * len(gaps)


def _is_closed(packets: Sequence[Packet]) -> bool:
    """Say whether decoding may start at every keyframe with nothing of before it still to show."""
    floor = packets[0].pts
    for packet in packets:
        if packet.is_keyframe:
            floor = packet.pts
        elif packet.pts < floor:
            return False
    return True


def _asset_duration_s(
    video: VideoFacts | None, audio: AudioFacts | None, container_s: float
) -> float:
    """Return seconds from the picture's start to its end, or to the sound's where that is later."""
    if audio is None:
        return video.duration_s if video else container_s
    heard_s = audio.duration_s or max(0.0, container_s)
    if video is None:
        return heard_s
    overhang_s = audio.start_s + heard_s - video.start_s - video.duration_s
    return video.duration_s + (overhang_s if audio.duration_s and overhang_s > 1.0 else 0.0)


def _rate(text: object) -> Fraction | None:
    try:
        rate = Fraction(str(text))
    except (ValueError, ZeroDivisionError):
        return None
    return rate if rate > 0 else None


def _pair(rate: Fraction) -> tuple[int, int]:
    near = rate.limit_denominator(10_000)
    return near.numerator, near.denominator


def _seconds(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return 0.0
