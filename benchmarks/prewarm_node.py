"""A real node that fetches ahead of a player: the same video from one with it and one without."""

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from benchmarks.peers import LOAD_CORE, SERVER_CORE
from benchmarks.processes import free_port, running

CORES: Final = f"{LOAD_CORE},{SERVER_CORE}"
STORIES: Final = 4
SEGMENTS: Final = 10
SEGMENT_BYTES: Final = 200_000
PACE_S: Final = 0.1  # a player takes so long for a segment
READY_S: Final = 30.0


def node() -> dict[str, Any]:
    """Play some videos that nobody has seen; the share of segments that were hits."""
    return {name: _played(options) for name, options in OPTIONS.items()}


OPTIONS: Final[dict[str, tuple[str, ...]]] = {"without": (), "with": ("--prewarm",)}


def _played(options: tuple[str, ...]) -> dict[str, float]:
    with _edge(options) as url, httpx.Client(base_url=url, timeout=30.0, trust_env=False) as player:
        first = later = 0
        for story in range(STORIES):
            player.get(f"/v/{story}/video.m3u8").raise_for_status()
            for number in range(SEGMENTS):
                time.sleep(PACE_S)
                answer = player.get(f"/v/{story}/{number}.m4s").raise_for_status()
                is_hit = "; hit" in answer.headers["cache-status"]
                if number:
                    later += is_hit
                else:
                    first += is_hit
    return {"first_hits": first / STORIES, "later_hits": later / STORIES / (SEGMENTS - 1)}


@contextmanager
def _edge(options: tuple[str, ...]) -> Iterator[str]:
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        origin_port, port = free_port(), free_port()
        origin = [sys.executable, "-m", "benchmarks.prewarm_node", str(origin_port)]
        log = directory / "log"
        stack.enter_context(running("origin", origin, port=origin_port, cores=CORES, log=log))
        command = [sys.executable, "-m", "amaro", "edge", "serve", "--listen", f"127.0.0.1:{port}"]
        command += ["--origin", f"http://127.0.0.1:{origin_port}", *options]
        stack.enter_context(running("edge", command, port=port, cores=CORES, log=log))
        url = f"http://127.0.0.1:{port}"
        until_s = time.monotonic() + READY_S
        while httpx.get(f"{url}/.amaro/ready", trust_env=False).status_code != httpx.codes.OK:
            if time.monotonic() > until_s:
                raise TimeoutError("the edge is not ready")
            time.sleep(0.05)
        yield url


def serve(port: int) -> None:
    """Be an origin of videos whose segments take 30 ms each."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer  # noqa: PLC0415

    lines = [f"#EXTINF:2,\n{number}.m4s" for number in range(SEGMENTS)]
    playlist = "\n".join(["#EXTM3U", *lines, "#EXT-X-ENDLIST", ""]).encode()

    class Origin(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            time.sleep(0.03)
            body = playlist if self.path.endswith(".m3u8") else bytes(SEGMENT_BYTES)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "max-age=600")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    ThreadingHTTPServer(("127.0.0.1", port), Origin).serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
