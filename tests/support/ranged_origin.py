"""An origin that knows ranges and breaks off where it is told to."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.support.edges import Asked, response

FRESH = "Cache-Control: max-age=600"


@dataclass(slots=True)
class RangedOrigin:
    """A script for `running_origin` that serves one body at every path."""

    body: bytes
    etag: str = '"v1"'
    ranges: bool = True
    chunked: bool = False
    lines: tuple[str, ...] = (FRESH,)
    cut_after: Callable[[int], int | None] = lambda _: None  # by request number: bytes of the body
    parts: list[tuple[int, int]] = field(default_factory=list)  # sent, both ends inclusive
    sent_bytes: int = 0
    requests: int = 0

    async def __call__(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        number, self.requests = self.requests, self.requests + 1
        first, last = self._wanted(asked)
        lines = [*self.lines, f"ETag: {self.etag}"]
        status = "200 OK"
        if asked.get("if-none-match") == self.etag.encode():
            writer.write(response(b"", *lines, status="304 Not Modified"))
            return
        if first is not None and first >= len(self.body):
            lines.append(f"Content-Range: bytes */{len(self.body)}")
            writer.write(response(b"", *lines, status="416 Range Not Satisfiable"))
            return
        if first is not None:
            status = "206 Partial Content"
            lines.append(f"Content-Range: bytes {first}-{last}/{len(self.body)}")
        first = first or 0
        body = self.body[first : last + 1]
        cut = self.cut_after(number)
        kept = body if cut is None else body[:cut]
        self.parts.append((first, last))
        if self.chunked:
            head = "\r\n".join([f"HTTP/1.1 {status}", "Transfer-Encoding: chunked", *lines])
            writer.write(head.encode() + b"\r\n\r\n")
            for at in range(0, len(kept), 65_536):
                piece = kept[at : at + 65_536]
                writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            if cut is None:
                writer.write(b"0\r\n\r\n")
        else:
            writer.write(response(kept, *lines, status=status, length=len(body)))
        self.sent_bytes += len(kept)
        await writer.drain()
        if cut is not None:
            writer.close()

    def _wanted(self, asked: Asked) -> tuple[int | None, int]:
        end = len(self.body) - 1
        value = asked.get("range")
        condition = asked.get("if-range")
        if not self.ranges or value is None or condition not in (None, self.etag.encode()):
            return None, end
        match = re.fullmatch(rb"bytes=(\d*)-(\d*)", value)
        assert match is not None, value
        if not match[1]:
            return max(0, len(self.body) - int(match[2])), end
        return int(match[1]), min(end, int(match[2])) if match[2] else end
