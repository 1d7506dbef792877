"""A clip packaged as CMAF HLS in the origin's URL layout, and a server that publishes it."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import imageio_ffmpeg
from PIL import Image

from cache_policies.access_ring import Ring
from cache_policies.signal_access import Claims, mint_signals

ASSET = "abcdefghijklmnop"
DURATION_S = 40
LADDER = {"360p": (640, 360, 700), "540p": (960, 540, 1600), "720p": (1280, 720, 2600)}  # kbit/s


@dataclass(frozen=True, kw_only=True)
class Cut:
    """How a clip is made."""

    duration_s: int = DURATION_S
    segment_s: int = 4
    names: tuple[str, ...] = tuple(LADDER)
    picture: str = "testsrc2=s=1280x720:r=25"  # a source of FFmpeg's


def package(folder: Path, cut: Cut = Cut()) -> Path:
    """Encode and package the clip below `folder/v/ASSET`; returns that directory."""
    target = folder / "v" / ASSET
    target.mkdir(parents=True)
    common = ["-hide_banner", "-loglevel", "error", "-y"]
    hls = ["-f", "hls", "-hls_time", str(cut.segment_s), "-hls_playlist_type", "vod"]
    hls += ["-hls_segment_type", "fmp4", "-hls_flags", "independent_segments"]
    every = str(25 * cut.segment_s)
    video = ["-c:v", "libx264", "-preset", "ultrafast", "-profile:v", "main"]
    video += ["-g", every, "-keyint_min", every, "-sc_threshold", "0", "-pix_fmt", "yuv420p"]
    argv = [imageio_ffmpeg.get_ffmpeg_exe(), *common]
    argv += ["-f", "lavfi", "-i", f"{cut.picture}:d={cut.duration_s}"]
    argv += ["-f", "lavfi", "-i", f"sine=frequency=330:duration={cut.duration_s}"]
    for name in cut.names:
        width, height, kbps = LADDER[name]
        argv += ["-map", "0:v", "-s", f"{width}x{height}", *video, "-b:v", f"{kbps}k", *hls]
        argv += ["-hls_fmp4_init_filename", f"{name}-init.mp4"]
        argv += ["-hls_segment_filename", f"{target}/{name}-%02d.m4s", f"{target}/{name}.m3u8"]
    argv += ["-map", "1:a", "-c:a", "aac", "-b:a", "96k", *hls]
    argv += ["-hls_fmp4_init_filename", "audio-init.mp4"]
    argv += ["-hls_segment_filename", f"{target}/audio-%02d.m4s", f"{target}/audio.m3u8"]
    subprocess.run(argv, check=True, cwd=target)
    best = f"{target}/{cut.names[-1]}.m3u8"
    picture = ["-ss", "5", "-i", best, "-frames:v", "1", f"{target}/poster.jpg"]
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), *common, *picture], check=True)
    write_thumbnails(target, cut.duration_s)
    return target


def write_thumbnails(target: Path, duration_s: int) -> None:
    """A sprite of the poster, once for every four seconds, and the track that points into it."""
    tile = Image.open(target / "poster.jpg").resize((160, 90))
    count = duration_s // 4
    sprite = Image.new("RGB", (160 * count, 90))
    lines = ["WEBVTT", ""]
    for number in range(count):
        sprite.paste(tile, (160 * number, 0))
        lines.append(f"00:{number * 4:02d}.000 --> 00:{number * 4 + 4:02d}.000")
        lines += [f"sprite.jpg#xywh={160 * number},0,160,90", ""]
    sprite.save(target / "sprite.jpg", quality=70)
    (target / "thumbnails.vtt").write_text("\n".join(lines))


def multivariant(names: tuple[str, ...]) -> str:
    """The multivariant playlist with these renditions, in this order."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
    lines.append(
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="Sound",DEFAULT=YES,AUTOSELECT=YES,'
        'CHANNELS="1",URI="audio.m3u8"'
    )
    for name in names:
        width, height, kbps = LADDER[name]
        lines.append(
            f"#EXT-X-STREAM-INF:BANDWIDTH={kbps * 1200},AVERAGE-BANDWIDTH={kbps * 1000},"
            f'RESOLUTION={width}x{height},FRAME-RATE=25.000,CODECS="avc1.4d401f,mp4a.40.2",'
            'AUDIO="audio"'
        )
        lines.append(f"{name}.m3u8")
    return "\n".join([*lines, ""])


@dataclass(slots=True)
class ClipServer:
    """Serves one packaged clip as an origin would; `publish` says which renditions there are."""

    folder: Path
    names: tuple[str, ...] = ()
    complete: bool = False
    is_down: bool = False
    has_catalog: bool = True  # else nobody knows what has become of an upload
    token: str = ""  # that players need, if any
    older: tuple[str, ...] = ()  # that still open
    turns: list[tuple[int, str]] = field(default_factory=list)  # after so many media: another one
    refused: int = 0  # requests without one
    stories: list[dict[str, object]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    url: str = ""
    ring: Ring = field(default_factory=lambda: Ring({}))  # of tokens for signals
    pages: Iterator[int] = field(default_factory=itertools.count)

    def publish(self, *names: str, complete: bool = False) -> None:
        """From now on the multivariant playlist has these renditions."""
        self.names = names
        self.complete = complete

    @property
    def base(self) -> str:
        """Where the clip's names begin, for players."""
        return f"/~{self.token}/v/{ASSET}" if self.token else f"/v/{ASSET}"

    def media(self) -> int:
        """How many segments were asked for."""
        return sum(".m4s" in each for each in self.requests)

    def opened(self, target: str) -> str | None:
        """What is asked for, without the token; None without the right one where it is needed."""
        if not self.token or not target.startswith(("/v/", "/~")):
            return target
        if self.turns and ".m4s" in target and self.media() > self.turns[0][0]:
            self.token = self.turns.pop(0)[1]
        found = re.fullmatch(r"/~([^/]+)(/.*)", target)
        return found[2] if found and found[1] in {self.token, *self.older} else None

    def feed(self, target: str) -> dict[str, object]:
        """One page of the stories; `after` is simply how many came before."""
        parts = urlsplit(target)
        asked = dict(parse_qsl(parts.query))
        first, limit = int(asked.get("after", 0)), int(asked.get("limit", 20))
        end = first + limit
        more = f"{parts.path}?after={end}&limit={limit}" if end < len(self.stories) else None
        region = parts.path.split("/")[2]
        return {"region": region, "stories": self.stories[first:end], "next": more}

    def answer(self, target: str) -> tuple[int, bytes, str] | None:
        """(status, body, content type) of a generated answer; None for a file."""
        path = target.split("?", maxsplit=1)[0]
        if self.is_down:
            return 503, b"down", "text/plain"
        if path == f"/v/{ASSET}/main.m3u8":
            if not self.names:
                return 404, b"", "text/plain"
            return 200, multivariant(self.names).encode(), "application/vnd.apple.mpegurl"
        if path.startswith("/feed/"):
            return 200, json.dumps(self.feed(target)).encode(), "application/json"
        if path.startswith("/api/assets/") and not self.has_catalog:
            return 503, b"down", "text/plain"
        if path.startswith("/api/assets/"):
            if not path.endswith(ASSET):
                return 404, b"{}", "application/json"
            return 200, json.dumps(self.asset()).encode(), "application/json"
        return None

    def asset(self) -> dict[str, object]:
        """The asset as the origin's API shows it."""
        state = "complete" if self.complete else "playable" if self.names else "processing"
        sizes = [(name, *LADDER[name]) for name in self.names]
        return {
            "asset_id": ASSET,
            "state": state,
            "stage": "encoding",
            "fraction": 0.4,
            "error": None,
            "region": "north",
            "title": "A packaged clip",
            "base": self.base,
            "opens_for_s": 0.0 if self.token else None,
            "playback": f"{self.base}/main.m3u8",
            "poster": f"{self.base}/poster.jpg" if self.names else None,
            "renditions": [
                {"name": name, "width": width, "height": height, "bandwidth": kbps * 1000}
                for name, width, height, kbps in sizes
            ],
            "uploaded": time.time() - 60,
            "first_playable": time.time() - 50 if self.names else None,
            "complete": time.time() if self.complete else None,
        }


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, server: ClipServer, *args: object) -> None:
        self.clip = server
        super().__init__(*args, directory=str(server.folder))  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self.clip.requests.append(self.path)
        target = self.clip.opened(self.path)
        if target is None:
            self.clip.refused += 1
            generated: tuple[int, bytes, str] | None = (403, b"shut", "text/plain")
        else:
            self.path = target
            generated = self.clip.answer(target)
        if generated is None:
            super().do_GET()
            return
        status, body, kind = generated
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if status == 200 and self.headers.get("If-None-Match") == etag:
            status, body = 304, b""
        self.send_response(status)
        self.send_header("ETag", etag)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "public, max-age=1" if status < 400 else "no-store")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        """Give out a token for signals."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        now = time.time()
        claims = Claims(f"page-{next(self.clip.pages)}", ("story:*", "feed:*"), now + 600)
        token = mint_signals(self.clip.ring, claims, now)
        body = json.dumps({"token": token, "expires_in_s": 600}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def end_headers(self) -> None:
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Access-Control-Expose-Headers", "ETag")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that closes a connection in mid-answer is no error."""


@contextmanager
def serving(clip: ClipServer) -> Iterator[ClipServer]:
    """Serve the clip on a free port while the block runs."""
    with _Server(("127.0.0.1", 0), functools.partial(_Handler, clip)) as server:
        clip.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield clip
        finally:
            server.shutdown()
            thread.join()
