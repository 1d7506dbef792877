"""Stand-ins for the purge APIs of CDNs: what they keep, what they refuse, how often one may ask.

Their answers have the shapes of the real ones; each forgets what it was told to.
"""

from __future__ import annotations

import json
import math
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, ClassVar

TOKEN = "a-token-that-nobody-may-see"
ZONE = "023e105f4ecef8ad9ca31a8372d0c353"
SERVICE = "SU1Z0isxPaozGVKXdv0eY"
HOST = "video.example"


@dataclass
class Asked:
    """A request as it came."""

    path: str
    fields: dict[str, str]
    body: Any


@dataclass
class Said:
    """An answer."""

    status: int
    body: Any
    fields: dict[str, str] = field(default_factory=dict)
    delayed: int = 0  # pieces of whitespace before the body


class Bucket:
    """So many requests at once, and so many a second from then on."""

    def __init__(self, size: float, per_s: float) -> None:
        self._size, self._per_s = size, per_s
        self.tokens = size
        self._at_mono = time.monotonic()

    def take(self) -> float | None:
        """Return None, or in how many seconds there is room for one."""
        now_mono = time.monotonic()
        self.tokens = min(self._size, self.tokens + (now_mono - self._at_mono) * self._per_s)
        self._at_mono = now_mono
        if self.tokens >= 1.0:
            self.tokens -= 1.0
            return None
        return (1.0 - self.tokens) / self._per_s


class StandIn:
    """What both have in common. `kept` is what it has stored: URLs and their tags."""

    def __init__(self) -> None:
        self.url = ""
        self.kept: dict[str, set[str]] = {}
        self.stale: set[str] = set()
        self.asked: list[Asked] = []
        self.bucket = Bucket(1_000.0, 1_000.0)
        self.next: deque[Said | None] = deque()  # said instead; None hangs up
        self._lock = Lock()

    def answer(self, asked: Asked) -> Said | None:
        """Return what it says, None to hang up."""
        with self._lock:
            self.asked.append(asked)
            if self.next:
                return self.next.popleft()
            return self._denied(asked) or self._limited() or self._purge(asked)

    def forget(self, urls: set[str], *, soft: bool = False) -> None:
        """Drop these, or mark them as stale."""
        for url in urls & self.kept.keys():
            if soft:
                self.stale.add(url)
            else:
                del self.kept[url]

    def tagged(self, tags: list[str]) -> set[str]:
        """Return the URLs of what has one of the tags."""
        return {url for url, has in self.kept.items() if has & set(tags)}

    def _denied(self, asked: Asked) -> Said | None:
        raise NotImplementedError

    def _limited(self) -> Said | None:
        raise NotImplementedError

    def _purge(self, asked: Asked) -> Said:
        raise NotImplementedError


class CloudflareStandIn(StandIn):
    """POST /client/v4/zones/{zone}/purge_cache."""

    operations_max = 30

    def _denied(self, asked: Asked) -> Said | None:
        given = asked.fields.get("authorization", "")
        if not given.startswith("Bearer "):
            chain = [{"code": 6111, "message": "Invalid format for Authorization header"}]
            return self._error(400, 6003, "Invalid request headers", error_chain=chain)
        if given != f"Bearer {TOKEN}":
            return self._error(401, 10000, "Authentication error")
        if asked.path != f"/client/v4/zones/{ZONE}/purge_cache":
            said = f"Could not route to {asked.path}, perhaps your object identifier is invalid?"
            return self._error(404, 7003, said)
        return None

    def _limited(self) -> Said | None:
        wait_s = self.bucket.take()
        if wait_s is None:
            return None
        said = "Please wait and consider throttling your request speed"
        refusal = self._error(429, 971, said)
        refusal.fields |= {"retry-after": str(math.ceil(wait_s))}
        return refusal

    def _purge(self, asked: Asked) -> Said:
        body = asked.body
        if body == {"purge_everything": True}:
            self.kept.clear()
            return self._done()
        if not isinstance(body, dict) or len(body) != 1:
            return self._error(400, 1012, "Request must contain one of purge_everything or files")
        ((form, values),) = body.items()
        if not isinstance(values, list) or not 0 < len(values) <= self.operations_max:
            return self._error(400, 1094, f"at most {self.operations_max} operations a request")
        if form == "tags":
            self.forget(self.tagged(values))
        elif form == "files":
            if any(url.split("/")[2] != HOST for url in values):
                return self._error(400, 1016, "a URL is not of this zone")
            self.forget(set(values))
        elif form == "prefixes":
            if any("://" in prefix or "?" in prefix for prefix in values):
                return self._error(400, 1015, "a prefix has neither scheme nor query")
            for prefix in values:
                segments = prefix.rstrip("/") + "/"
                bare = {url: url.partition("://")[2] + "/" for url in self.kept}
                self.forget({url for url, text in bare.items() if text.startswith(segments)})
        else:
            return self._error(400, 1012, "Request must contain one of purge_everything or files")
        return self._done()

    def _done(self) -> Said:
        left = f'"default";r={int(self.bucket.tokens)};t=1'
        said = {"success": True, "errors": [], "messages": [], "result": {"id": ZONE}}
        return Said(200, said, {"ratelimit": left, "ratelimit-policy": '"default";q=25;w=1'})

    def _error(self, status: int, code: int, message: str, **more: Any) -> Said:
        error = {"code": code, "message": message, **more}
        said = {"success": False, "errors": [error], "messages": [], "result": None}
        return Said(status, said)


class FastlyStandIn(StandIn):
    """POST /purge/{url}, /service/{id}/purge and /service/{id}/purge_all."""

    _KEYS_MAX: ClassVar = 256

    def _denied(self, asked: Asked) -> Said | None:
        if asked.fields.get("fastly-key") != TOKEN:
            return Said(401, {"msg": "Provided credentials are missing or invalid"})
        return None

    def _limited(self) -> Said | None:
        wait_s = self.bucket.take()
        if wait_s is None:
            return None
        reset = str(math.ceil(time.time() + wait_s))
        said = {"msg": "You have exceeded your rate limit", "detail": "try again later"}
        left = {"fastly-ratelimit-remaining": "0", "fastly-ratelimit-reset": reset}
        return Said(429, said, left)

    def _purge(self, asked: Asked) -> Said:
        soft = asked.fields.get("fastly-soft-purge") == "1"
        left = {"fastly-ratelimit-remaining": str(int(self.bucket.tokens))}
        if asked.path.startswith("/purge/"):
            if not asked.path.startswith(f"/purge/{HOST}/"):
                return Said(404, {"msg": "Record not found", "detail": "Cannot load service"}, left)
            self.forget({f"https://{asked.path.removeprefix('/purge/')}"}, soft=soft)
            return Said(200, {"status": "ok", "id": "108-1391560174-974124"}, left)
        if asked.path == f"/service/{SERVICE}/purge_all":
            if soft:
                return Said(400, {"msg": "Bad request", "detail": "cannot be soft"}, left)
            self.kept.clear()
            return Said(200, {"status": "ok"}, left)
        if asked.path != f"/service/{SERVICE}/purge":
            return Said(404, {"msg": "Record not found", "detail": "Cannot load service"}, left)
        keys = asked.body.get("surrogate_keys") if isinstance(asked.body, dict) else None
        if not isinstance(keys, list) or not 0 < len(keys) <= self._KEYS_MAX:
            return Said(400, {"msg": "Bad request", "detail": "1 to 256 surrogate keys"}, left)
        self.forget(self.tagged(keys), soft=soft)
        return Said(200, dict.fromkeys(keys, "108-1391560174-974124"), left)


@contextmanager
def serving(stand_in: StandIn) -> Iterator[None]:
    """Have a stand-in answer at its `url`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers.get("content-length", "0")))
            fields = {name.lower(): value for name, value in self.headers.items()}
            said = stand_in.answer(Asked(self.path, fields, json.loads(data) if data else None))
            if said is None:
                self.close_connection = True
                return
            body = json.dumps(said.body).encode()
            self.send_response(said.status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body) + said.delayed))
            for name, value in said.fields.items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(ConnectionError):
                for _ in range(said.delayed):  # whitespace, piece by piece
                    self.wfile.write(b" ")
                    time.sleep(0.02)
                self.wfile.write(body)

        def log_request(self, code: object = "-", size: object = "-") -> None:
            del code, size  # nothing is logged

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stand_in.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
