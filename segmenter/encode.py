"""The ffmpeg command lines. Pure: facts, a ladder and paths in, arguments out."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Final

from segmenter.boundaries import Boundaries
from segmenter.facts import AudioFacts, Facts, VideoFacts
from segmenter.ladder import Ladder, Rung

AUDIO_BPS: Final = 128_000
AUDIO_RATE: Final = 48_000
QUICK_PRESETS: Final = frozenset({"ultrafast", "superfast"})
FRAGMENTED: Final = ("-movflags", "+empty_moov+default_base_moof", "-f", "mp4")
# Containers that hold their own media. Others name further files: an `ffconcat` of one line would
# publish somebody else's upload under a name of its own.
CONTAINERS: Final = (
    "mov", "matroska", "mpegts", "mpeg", "avi", "flv", "asf", "ogg", "mxf", "dv", "gif", "ivf",
    "h264", "hevc", "m4v", "mpegvideo", "wav", "w64", "mp3", "aac", "flac", "aiff", "caf", "amr",
    "ac3", "eac3", "au",
)  # fmt: skip
UNTRUSTED: Final = (  # before every input that somebody uploaded, for ffmpeg and ffprobe alike
    *("-protocol_whitelist", "file,pipe"),
    *("-format_whitelist", ",".join(CONTAINERS)),
)
# Light beyond standard white is folded back before eight bits are cut from it.
TONE_MAP: Final = (
    "zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt709,"
    "tonemap=hable:desat=0,zscale=t=bt709:m=bt709:r=tv"
)
BT709: Final = ("-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709")


def copy_video(source: Path, out: Path) -> list[str]:
    """Return the arguments that copy the picture as it is into fragments, one a keyframe."""
    return [
        *_input(source),
        *("-map", "0:V:0", "-c", "copy", "-map_metadata", "-1"),
        *("-movflags", "+frag_keyframe+empty_moov+default_base_moof", "-f", "mp4", str(out)),
    ]


def encode_video(source: Path, facts: Facts, ladder: Ladder, rung: Rung, out: Path) -> list[str]:
    """Return the arguments that make one rung with keyframes at the asset's boundaries only."""
    if facts.video is None:
        raise ValueError("a source without a picture has no rung")
    boundaries = ladder.boundaries
    return [
        *_input(source, shift_s=facts.start_s - facts.video.start_s),
        *("-map", "0:V:0", "-vf", picture_filters(facts.video, ladder, rung)),
        *_timing(facts.video, ladder),
        *("-c:v", "libx264", "-preset", rung.preset, "-profile:v", "high", "-level", rung.level),
        *("-crf", f"{rung.crf:g}", "-maxrate", str(rung.maxrate_bps)),
        *("-bufsize", str(2 * rung.maxrate_bps), "-pix_fmt", "yuv420p"),
        *("-forced-idr", "1", "-force_key_frames", forced_times(boundaries, _frame_s(ladder))),
        *("-x264-params", "keyint=infinite:min-keyint=1:scenecut=0:open-gop=0"),
        *(BT709 if facts.video.is_hdr else ()),
        *("-map_metadata", "-1", *FRAGMENTED, "-frag_duration", "4000000", str(out)),
    ]


def picture_filters(video: VideoFacts, ladder: Ladder, rung: Rung) -> str:
    """Return the filter chain from the decoder to a rung's picture."""
    rate = Fraction(*ladder.rate)
    flags = "fast_bilinear" if rung.preset in QUICK_PRESETS else "bicubic"
    constant = [] if ladder.keeps_times else [f"fps={rate}:start_time=0"]
    # The last picture stays until the planned end: sound that outlasts it, or a still.
    lasting = [] if ladder.keeps_times else ["tpad=stop=-1:stop_mode=clone"]
    return ",".join(
        [
            *(["bwdif=mode=send_frame"] if video.interlaced else []),
            *constant,
            f"scale={rung.width}:{rung.height}:flags={flags}",
            *([TONE_MAP] if video.is_hdr else []),
            "setsar=1",
            "format=yuv420p",
            *lasting,
        ]
    )


def measure_audio(source: Path, facts: Facts) -> list[str]:
    """Return the arguments that measure the loudness of the source's sound."""
    measured = "ebur128=framelog=quiet:peak=sample"
    return [
        *_input(source, shift_s=_audio_shift_s(facts), log="info"),
        *("-map", f"0:{_sound(facts).index}", "-af", f"{_stereo()},{measured}", "-f", "null", "-"),
    ]


def encode_audio(
    source: Path, facts: Facts, gain_db: float, duration_s: float, out: Path
) -> list[str]:
    """Return the arguments that make the sound rendition, exactly as long as the picture."""
    level = f"volume={gain_db}dB,alimiter=limit=0.891:level=false:latency=true"
    length = f"apad=whole_dur={duration_s:.6f},atrim=end={duration_s:.6f}"
    return [
        *_input(source, shift_s=_audio_shift_s(facts)),
        *("-map", f"0:{_sound(facts).index}", "-af", f"{_stereo()},{level},{length}"),
        *("-c:a", "aac", "-b:a", str(AUDIO_BPS), "-map_metadata", "-1"),
        *(*FRAGMENTED, "-frag_duration", "4000000", str(out)),
    ]


def forced_times(boundaries: Boundaries, frame_s: float) -> str:
    """Return when keyframes are forced: half a frame early, so that rounding never misses one."""
    times = (max(0.0, boundaries.seconds(start) - frame_s / 2) for start in boundaries.starts)
    return ",".join(f"{time:.6f}" for time in times)


def _timing(video: VideoFacts, ladder: Ladder) -> list[str]:
    boundaries = ladder.boundaries
    scale = ["-video_track_timescale", str(boundaries.timescale), "-fps_mode", "passthrough"]
    if ladder.keeps_times:
        return [*scale, "-enc_time_base", f"1:{video.timescale}"]
    frames = round(boundaries.end * Fraction(*ladder.rate) / boundaries.timescale)
    return [*scale, "-frames:v", str(frames)]


def _input(source: Path, *, shift_s: float = 0.0, log: str = "error") -> list[str]:
    """Return the arguments up to the input; its clock is moved so that the picture starts at 0."""
    shift = ["-itsoffset", f"{shift_s:.6f}"] if shift_s else []
    return [
        *("-hide_banner", "-nostdin", "-y", "-v", log, "-nostats"),
        *("-progress", "pipe:1", "-stats_period", "0.5"),
        *(*shift, *UNTRUSTED, "-i", str(source)),
    ]


def _audio_shift_s(facts: Facts) -> float:
    zero_s = facts.video.start_s if facts.video is not None else _sound(facts).start_s
    return facts.start_s - zero_s


def _stereo() -> str:
    """Return the filters that put every source on one clock, from zero, as two channels."""
    return f"aresample={AUDIO_RATE}:async=1:first_pts=0,aformat=channel_layouts=stereo"


def _sound(facts: Facts) -> AudioFacts:
    if facts.audio is None:
        raise ValueError("a source without sound has no sound rendition")
    return facts.audio


def _frame_s(ladder: Ladder) -> float:
    numerator, denominator = ladder.rate
    return denominator / numerator if numerator else 0.0
