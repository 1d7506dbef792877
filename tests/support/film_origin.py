"""An origin without a socket: it has one body under some targets, and nothing under others."""

import re
from dataclasses import dataclass, field
from email.utils import formatdate

from cache_policies.message import Fields
from edge.fetch import Fetch
from tests.support.generated_ranges import BODY, LENGTH, MODIFIED

FRESH: Fields = (
    (b"cache-control", b"max-age=900"),
    (b"content-type", b"video/mp4"),
    (b"etag", b'"v1"'),
    (b"last-modified", MODIFIED.encode()),
    (b"surrogate-key", b"film"),
)


@dataclass
class Response:
    status: int
    fields: Fields
    body: bytes

    @property
    def length(self) -> int:
        return len(self.body)

    async def read(self) -> bytes:
        piece, self.body = self.body, b""
        return piece

    def close(self) -> None:
        pass


@dataclass
class FilmOrigin:
    """Stands for a fill client; notes what it was asked, but for Via."""

    targets: frozenset[bytes]
    asked: list[tuple[bytes, bytes, Fields]] = field(default_factory=list)

    async def fetch(self, _upstream: object, fetch: Fetch) -> Response:
        told = tuple(sorted(line for line in fetch.fields if line[0] != b"via"))
        self.asked.append((fetch.method, fetch.target, told))
        if fetch.target not in self.targets:
            return _response(404, ((b"cache-control", b"no-store"),), b"no such thing")
        span = re.fullmatch(rb"bytes=(\d+)-(\d*)", dict(fetch.fields).get(b"range", b""))
        if span is None or int(span[1]) >= LENGTH:
            return _response(200, FRESH, BODY)
        first, last = int(span[1]), min(int(span[2] or LENGTH), LENGTH - 1)
        where = (b"content-range", b"bytes %d-%d/%d" % (first, last, LENGTH))
        return _response(206, (*FRESH, where), BODY[first : last + 1])


def _response(status: int, fields: Fields, body: bytes) -> Response:
    date = (b"date", formatdate(usegmt=True).encode())
    return Response(status, (date, *fields, (b"content-length", b"%d" % len(body))), body)
