"""The origin of a soak: it changes what it has, dawdles, breaks off, errs and dies."""

from __future__ import annotations

import asyncio
import random
import re
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.utils import formatdate

from tests.support.edges import Asked, Origin, response
from tests.support.soak_world import World, content, etag_of, kind_of, tags_of

PIECE_BYTES = 65_536
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"


@dataclass(frozen=True)
class Mood:
    """How likely each thing is to go wrong with an answer."""

    slow: float = 0.02
    cut: float = 0.0
    reset: float = 0.0
    garbage: float = 0.0
    error: float = 0.0


MOODS = (Mood(), Mood(cut=0.3), Mood(error=0.5), Mood(reset=0.2, garbage=0.1), Mood(slow=0.5))


class SoakOrigin:
    """Serves a world at one port, which stays its own while it is down."""

    def __init__(
        self,
        world: World,
        seed: int,
        *,
        address: str = "127.0.0.1",
        new_socket: Callable[[], socket.socket] = socket.socket,
    ) -> None:
        self.world = world
        self._address = address
        self._new_socket = new_socket
        self.mood = Mood()
        self.is_up = False
        self._draw = random.Random(f"{seed} origin")
        self._place = self._bound(0)
        self.port: int = self._place.getsockname()[1]
        self._server = Origin(self.answer)

    def _bound(self, port: int) -> socket.socket:
        place = self._new_socket()
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        place.bind((self._address, port))
        return place

    async def rise(self) -> None:
        await self._server.start(self._bound(self.port))
        self.is_up = True

    async def die(self) -> None:
        """Drop every connection and refuse new ones."""
        self.is_up = False
        await self._server.stop()

    async def close(self) -> None:
        if self.is_up:
            await self.die()
            await self._server.at_rest()
        self._place.close()

    async def answer(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        self._server.asked.clear()
        path, draw, mood = asked.target.decode(), self._draw, self.mood
        chance = draw.random()
        asker = (asked.get("x-ask") or b"").decode()
        authorized = asked.get("authorization") is not None
        if asked.method == "POST":
            self.world.change([path])
        number, said = self.world.say(path, asker, authorized=authorized, now_mono=time.monotonic())
        line = f"X-Said: {number}"
        try:
            if draw.random() < mood.slow:
                await asyncio.sleep(draw.random())
            if chance < mood.reset:
                self._note(path)
                writer.transport.abort()
            elif chance < mood.reset + mood.garbage:
                self._note(path)
                writer.write(b"HTTP/1.1 2OO Fine\r\n\r\n")
                writer.close()
            elif chance < mood.reset + mood.garbage + mood.error:
                self._note(path)
                status = draw.choice(["500 Broken", "502 Broken", "503 Broken", "404 Lost"])
                writer.write(response(b"broken", line, "Cache-Control: no-store", status=status))
            elif asked.method == "POST":
                writer.write(response(b"", line, status="204 No Content"))
            else:
                cut = draw.random() if draw.random() < mood.cut else None
                await self._represent(asked, writer, (line, said.version), cut)
        finally:
            said.ended_mono = time.monotonic()

    def _note(self, path: str) -> None:
        self.world.trouble_mono[path] = time.monotonic()

    async def _represent(
        self, asked: Asked, writer: asyncio.StreamWriter, what: tuple[str, int], cut: float | None
    ) -> None:
        """Send a representation, the part of it that is asked for, or that nothing has changed."""
        path, kind, (number_line, version) = asked.target.decode(), None, what
        kind = kind_of(path)
        variant = (asked.get("accept-language") or b"").decode() if kind.by_language else ""
        etag = etag_of(path, version, variant)
        lines = [
            number_line,
            f"Date: {formatdate(usegmt=True)}",
            f"Cache-Control: {kind.control}",
            f"ETag: {etag}",
            f"Surrogate-Key: {' '.join(tags_of(path))}",
        ]
        if kind.by_language:
            lines.append("Vary: Accept-Language")
        if etag.encode() in (asked.get("if-none-match") or b"").split(b", "):
            head = "\r\n".join(["HTTP/1.1 304 Not Modified", *lines])
            writer.write(head.encode() + b"\r\n\r\n")
            return
        body, status = content(path, version, variant), "200 OK"
        size = len(body)
        span = re.fullmatch(rb"bytes=(\d+)-(\d*)", asked.get("range") or b"")
        if span and kind.ranges and asked.get("if-range") in (None, etag.encode()):
            first, last = int(span[1]), min(int(span[2] or size), size - 1)
            if first >= size:
                lines.append(f"Content-Range: bytes */{size}")
                writer.write(response(b"", *lines, status="416 Range Not Satisfiable"))
                return
            if first <= last:
                lines.append(f"Content-Range: bytes {first}-{last}/{size}")
                body, status = body[first : last + 1], "206 Partial Content"
        if asked.method == "HEAD":
            writer.write(response(b"", *lines, status=status, length=len(body)))
        else:
            if self._draw.random() < 0.05:
                writer.write(HINTS)
            framing = "Transfer-Encoding: chunked" if kind.weak else f"Content-Length: {len(body)}"
            head = "\r\n".join([f"HTTP/1.1 {status}", framing, *lines])
            writer.write(head.encode() + b"\r\n\r\n")
            await self._send(path, writer, body, chunked=kind.weak, cut=cut)

    async def _send(
        self,
        path: str,
        writer: asyncio.StreamWriter,
        body: memoryview,
        *,
        chunked: bool,
        cut: float | None,
    ) -> None:
        draw = self._draw
        end = len(body) if cut is None else int(cut * len(body))
        pause_s = draw.choice([0, 0, 0, 0, 0.005])
        for at in range(0, end, PIECE_BYTES):
            piece = body[at : min(end, at + PIECE_BYTES)]
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            await writer.drain()
            if pause_s:
                await asyncio.sleep(pause_s)
        if cut is not None:
            self._note(path)
            with suppress(ConnectionError):
                if draw.random() < 0.5:
                    await writer.drain()
                    writer.transport.abort()
                else:
                    writer.close()
        elif chunked:
            writer.write(b"0\r\n\r\n")
