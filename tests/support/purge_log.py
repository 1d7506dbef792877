"""A region's purge log over HTTP, as an origin has it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.edge_node import TOKEN

LOG = "0123456789abcdef"


@dataclass
class ServedLog:
    """What is in it, and how it answers."""

    name: str = LOG
    purges: list[tuple[str, str, bool]] = field(default_factory=list)  # kind, value, soft
    floor: int = 0
    status: int = 200
    page_max: int = 2
    asked: int = 0
    url: str = ""

    def tag(self, *tags: str) -> int:
        """Log purges of tags; return the last one's number."""
        self.purges += [("tag", tag, False) for tag in tags]
        return len(self.purges)

    def purge(self, kind: str, value: str = "", *, soft: bool = False) -> int:
        """Log a purge; return its number."""
        self.purges.append((kind, value, soft))
        return len(self.purges)

    def page(self, after: int, limit: int) -> dict[str, Any]:
        purges = list(self.purges)  # of now: the test may be adding some
        rows = self.rows(max(after, self.floor))[: min(limit, self.page_max)]
        return {"log": self.name, "floor": self.floor, "last": len(purges), "purges": rows}

    def rows(self, after: int = 0) -> list[dict[str, Any]]:
        return [
            {"number": number, "kind": kind, "value": value, "soft": soft}
            for number, (kind, value, soft) in enumerate(list(self.purges), start=1)
            if number > after
        ]

    def message(self, after: int, **others: Any) -> dict[str, Any]:
        """What a carrier brings to who knows it up to a number."""
        return {"log": self.name, "after": after, "purges": self.rows(after)} | others


@contextmanager
def served_log() -> Iterator[ServedLog]:
    log = ServedLog()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.headers["authorization"] == f"Bearer {TOKEN}"
            asked = parse_qs(urlsplit(self.path).query)
            log.asked += 1
            data = json.dumps(log.page(int(asked["after"][0]), int(asked["limit"][0]))).encode()
            self.send_response(log.status)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    log.url = f"http://127.0.0.1:{server.server_port}/purges"
    try:
        yield log
    finally:
        server.shutdown()
        server.server_close()
