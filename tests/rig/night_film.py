"""An origin with one story for the night: a playlist of many short segments."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from tests.rig.network import Host

ORIGIN_PORTS: Final = (8000, 8001)
SEGMENT_S, SEGMENTS, SEGMENT_BYTES = 1, 60, 16 * 1024
MAIN: Final = "/v/night/main.m3u8"
KNOWN: Final = "/v/night/0.m4s"


def segment(number: int) -> bytes:
    """The bytes of a segment."""
    seed = hashlib.sha256(str(number).encode()).digest()
    return seed * (SEGMENT_BYTES // len(seed))


class _Film(BaseHTTPRequestHandler):
    """An origin with one story."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body, kind = _content(self.path.partition("?")[0])
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "public, max-age=60")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def _content(path: str) -> tuple[bytes, str]:
    name = path.removeprefix("/v/night/")
    if name == "main.m3u8":
        lines = ["#EXTM3U", "#EXT-X-STREAM-INF:BANDWIDTH=131072", "360p.m3u8", ""]
    elif name == "360p.m3u8":
        lines = ["#EXTM3U", f"#EXT-X-TARGETDURATION:{SEGMENT_S}"]
        for number in range(SEGMENTS):
            lines += [f"#EXTINF:{SEGMENT_S},", f"{number}.m4s"]
        lines += ["#EXT-X-ENDLIST", ""]
    elif name.endswith(".m4s"):
        return segment(int(name.removesuffix(".m4s"))), "video/mp4"
    else:
        return b"", "text/plain"
    return "\n".join(lines).encode(), "application/vnd.apple.mpegurl"


@contextmanager
def film(host: Host) -> Iterator[None]:
    """Serve the story at two ports, so that a route can be told from the other."""
    with ExitStack() as opened:
        for port in ORIGIN_PORTS:
            with host.inside():
                server = ThreadingHTTPServer((host.address, port), _Film)
            opened.callback(server.server_close)
            thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            thread.start()
            opened.callback(server.shutdown)
        yield
