"""Answers `/.amaro/live` and `/.amaro/ready` for whoever waits for the worker."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Health:
    """A tiny HTTP listener in a thread of its own. `is_ready` is asked at each request."""

    def __init__(self, host: str, port: int, is_ready: Callable[[], bool]) -> None:
        class Answer(BaseHTTPRequestHandler):
            timeout = 5.0  # seconds for a request to arrive

            def do_GET(self) -> None:
                states = {"/.amaro/live": 200, "/.amaro/ready": 200 if is_ready() else 503}
                status = states.get(self.path, 404)
                body = {200: b"ok\n", 503: b"not ready\n", 404: b"not found\n"}[status]
                self.send_response(status)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing: probes come every second."""

        self._server = ThreadingHTTPServer((host, port), Answer)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def address(self) -> tuple[str, int]:
        """Return the bound host and port."""
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
