"""What players of a soak ask for; those over HTTP/1.1, some slow, some gone in mid-body."""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from dataclasses import dataclass
from functools import cache
from itertools import count

from tests.support.edges import read_chunked, read_head
from tests.support.soak_judge import Ask, Heard, Judge
from tests.support.soak_world import KINDS, LANGUAGES, PATHS, World, kind_of, size_of
from tests.support.tls import RENEWED, client_context

PATIENCE_S = 60.0  # for one answer, whatever happens to the node
READ_BYTES = 65_536
DIRECTIVES = ("no-cache", "max-age=1", "min-fresh=2", "no-store", "only-if-cached")
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
LOST = (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, TimeoutError, OSError)


@dataclass
class Target:
    """Where the node serves at the moment; no port while it does not."""

    port: int = 0
    tls: bool = False

    @property
    def scheme(self) -> str:
        return "https" if self.tls else "http"

    async def connect(self) -> Streams:
        tls = {"ssl": trusting("http/1.1"), "server_hostname": "edge.test"}
        return await asyncio.open_connection("127.0.0.1", self.port, **(tls if self.tls else {}))


@cache
def trusting(*alpn: str) -> ssl.SSLContext:
    context = client_context(*alpn)
    context.load_verify_locations(RENEWED.certificate)
    return context


@dataclass
class Crowd:
    """What all players share."""

    seed: int
    world: World
    judge: Judge
    target: Target
    numbers: count[int]
    done: bool = False
    lost: int = 0
    reconnected: int = 0

    def choose(self, draw: random.Random) -> str:
        return draw.choice(PATHS)

    def ask(self, draw: random.Random, user: str, etags: dict[str, str]) -> Ask:
        """Decide on a request."""
        path = self.choose(draw)
        kind, number = kind_of(path), next(self.numbers)
        method = draw.choices(["GET", "HEAD", "POST"], [92, 6, 2])[0]
        fields = {"X-Ask": str(number), "Cookie": user}
        if language := draw.choice(LANGUAGES):
            fields["Accept-Language"] = language
        spans: list[tuple[int, int | None]] = []
        if method == "POST":
            fields["Content-Length"] = "0"
        else:
            if draw.random() < 0.05:
                fields["Authorization"] = user
            if draw.random() < 0.06:
                fields["Cache-Control"] = draw.choice(DIRECTIVES)
            if draw.random() < 0.15 and path in etags:
                fields["If-None-Match"] = etags[path]
            elif draw.random() < (0.7 if kind is KINDS["film"] else 0.3):
                spans = spans_of(draw, size_of(path, self.world.versions[path]))
                said = [f"{first}-{'' if last is None else last}" for first, last in spans]
                fields["Range"] = f"bytes={', '.join(said)}"
                if draw.random() < 0.2 and path in etags:
                    fields["If-Range"] = etags[path]
        url = f"{self.target.scheme}:{path}"
        promised = self.world.invalidations[url]
        asked_mono = time.monotonic()
        return Ask(
            *(number, method, url, fields, asked_mono, promised.hard_mono),
            type(promised)(soft_mono=[*promised.soft_mono]),
            spans,
            tag_mono=self.world.tag_mono,
        )

    def plain(self, path: str) -> Ask:
        """A request for the whole of something."""
        number, url = next(self.numbers), f"{self.target.scheme}:{path}"
        promised = self.world.invalidations[url]
        now_mono = time.monotonic()
        fields = {"X-Ask": str(number)}
        soft = type(promised)(soft_mono=[*promised.soft_mono])
        return Ask(number, "GET", url, fields, now_mono, promised.hard_mono, soft)

    def hear(self, ask: Ask, heard: Heard, etags: dict[str, str]) -> None:
        if heard.status in (200, 206) and "etag" in heard.fields:
            etags[ask.path] = heard.fields["etag"]
        self.judge.hear(ask, heard)


def spans_of(draw: random.Random, size: int) -> list[tuple[int, int | None]]:
    """One part or a few, most within the body."""
    found: list[tuple[int, int | None]] = []
    for _ in range(draw.choice([1, 1, 1, 2, 4])):
        first = draw.choice([0, draw.randrange(size), draw.randrange(size), size // 2, size + 99])
        length = draw.choice([1, 100, 70_000, 1 << 20])
        found.append((first, draw.choice([first + length - 1, first + length - 1, None])))
    return found


def nothing() -> Heard:
    return Heard(0, {}, b"", whole=False, ended_mono=time.monotonic())


class Http1Player:
    """One connection at a time; a part of it reads slowly, or leaves."""

    pauses_s: tuple[float, ...] = (0, 0, 0, 0.02, 0.1)
    at_once: tuple[int, ...] = (1, 1, 1, 1, 1, 1, 1, 1, 1, 3)  # requests without waiting between

    def __init__(self, crowd: Crowd, number: int) -> None:
        self.crowd = crowd
        self.draw = random.Random(f"{crowd.seed} player {number}")
        self.user = f"user{number}"
        self.etags: dict[str, str] = {}
        self._streams: Streams | None = None

    async def play(self) -> None:
        while not self.crowd.done:
            await asyncio.sleep(self.draw.choice(self.pauses_s))
            if self.crowd.target.port:
                await self._once()
            else:
                await asyncio.sleep(0.05)
        self._drop()

    def _drop(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
        self._streams = None

    async def _once(self) -> None:
        """Ask for something, or for some things without waiting between them."""
        draw, crowd = self.draw, self.crowd
        if draw.random() < 0.05:
            self._drop()
        wanted = draw.choice(self.at_once)
        asks = [crowd.ask(draw, self.user, self.etags) for _ in range(wanted)]
        leaves = draw.random() < 0.03
        for ask in asks:
            ask.hurried = draw.random() > 0.03
        try:
            async with asyncio.timeout(PATIENCE_S):
                reader, writer = await self._connection()
                writer.write(b"".join(map(wire, asks)))
                if leaves:
                    await asyncio.sleep(draw.choice([0, 0.01, 0.1]))
                    self._drop()
                    return
                while asks and self._streams is not None:
                    heard = await read_answer(reader, asks[0], draw)
                    self._take(asks.pop(0), heard)
        except LOST:
            self._take(asks[0], nothing())

    def _take(self, ask: Ask, heard: Heard) -> None:
        self.crowd.hear(ask, heard, self.etags)
        if not heard.whole or heard.fields.get("connection") == "close":
            self._drop()

    async def _connection(self) -> Streams:
        if self._streams is None:
            self._streams = await self.crowd.target.connect()
        return self._streams


def wire(ask: Ask) -> bytes:
    head = [f"{ask.method} {ask.path} HTTP/1.1", "Host: edge.test", *ask.lines()]
    return "\r\n".join(head).encode() + b"\r\n\r\n"


async def read_answer(reader: asyncio.StreamReader, ask: Ask, draw: random.Random) -> Heard:
    """The final answer, as far as it comes."""
    status, fields = 100, {}
    while status < 200:
        first, lines = await read_head(reader)
        status = int(first.split(b" ")[1])
        fields = {name: value.decode("latin-1") for name, value in lines}
    heard = Heard(status, fields, b"", True, 0.0, began_mono=time.monotonic())
    if ask.method != "HEAD" and status not in (204, 304):
        try:
            if "content-length" in fields:
                await read_body(reader, heard, int(fields["content-length"]), ask, draw)
            else:
                assert fields["transfer-encoding"] == "chunked"
                heard.body = await read_chunked(reader)
        except (*LOST, ValueError):
            heard.whole = False
    heard.ended_mono = time.monotonic()
    return heard


async def read_body(
    reader: asyncio.StreamReader, heard: Heard, length: int, ask: Ask, draw: random.Random
) -> None:
    """Read a body of known length, with pauses if its reader is in no hurry."""
    pieces, left = [], length
    try:
        while left:
            piece = await reader.read(min(left, READ_BYTES))
            if not piece:
                heard.whole = False
                return
            pieces.append(piece)
            left -= len(piece)
            if not ask.hurried and len(pieces) < 200:
                await asyncio.sleep(draw.choice([0, 0.01, 0.05]))
    finally:
        heard.body = b"".join(pieces)
