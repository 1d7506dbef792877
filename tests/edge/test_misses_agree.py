"""Whatever follows a fill by call-backs gets what the app would have given it, field for field."""

import asyncio
import random
import re
from dataclasses import dataclass, replace
from typing import Any

import pytest

from cache_policies.message import Fields
from edge.errors import UpstreamError
from edge.fetch import Fetch
from edge.protocol import EdgeProtocol
from edge.worker import Worker
from tests.support.simulated_player import Player
from tests.support.virtual_time import virtual_time
from tests.support.wire import close_worker, worker_without_listener

ROUNDS = 80
SEEDS = range(4)

HEADS: list[tuple[int, list[tuple[str, str]]]] = [
    (200, [("cache-control", "max-age=60")]),
    (200, [("cache-control", "max-age=60"), ("etag", '"1"'), ("age", "7"), ("set-cookie", "a=b")]),
    (200, [("cache-control", "max-age=60"), ("vary", "Accept-Language"), ("surrogate-key", "a b")]),
    (200, [("cache-control", "no-cache"), ("etag", '"n"')]),
    (200, [("cache-control", "private"), ("cache-status", "other; hit")]),
    (200, [("cache-control", 'private="x-own", max-age=60'), ("x-own", "1")]),
    (200, [("last-modified", "Wed, 18 Nov 2020 10:00:00 GMT")]),
    (204, [("cache-control", "max-age=60")]),
    (301, [("cache-control", "max-age=60"), ("location", "/elsewhere")]),
    (404, [("cache-control", "max-age=1")]),
    (500, [("cache-control", "no-store")]),
    (503, [("cache-control", "max-age=60"), ("retry-after", "3")]),
]
SIZES = [0, 1, 5_000, 70_000, 1_300_000]
# who asks again does so with others at one moment: who leads then, and who finds, is chance
AT_LAST = re.compile(
    "fwd=(uri-miss|vary-miss|stale)|; (collapsed|detail=(compulsory|vary|no-cache|ttl))"
)
LINES = [
    "Accept-Language: tr",
    "Accept-Language: de",
    "Cookie: a=1",
    "User-Agent: player",
    "Via: 1.1 other",
    "Range: bytes=0-10",
    "Range: bytes=60000-",
    'If-None-Match: "1"',
    "X-Forwarded-Host: evil",
    "Connection: close",
]


@dataclass
class Scripted:
    """A response, or the lack of one, that a fill client gives the same way each time."""

    draw_seed: int
    status: int
    fields: Fields
    body: bytes
    length: int | None
    fails: bool
    cut_at: int | None
    at: int = 0

    async def fetch(self, _upstream: object, fetch: Fetch) -> "Scripted":
        await asyncio.sleep(0.3)
        if self.fails:
            raise UpstreamError("connection-lost")
        return replace(self, at=0)

    async def read(self) -> bytes:
        await asyncio.sleep(0.01 if self.at % 3 else 0)
        if self.cut_at is not None and self.at >= self.cut_at:
            raise UpstreamError("truncated")
        end = min(self.at + 30_001, len(self.body) if self.cut_at is None else self.cut_at)
        piece, self.at = self.body[self.at : end], end
        return piece

    def close(self) -> None:
        pass


def scripted(draw: random.Random) -> Scripted:
    status, lines = draw.choice(HEADS)
    body = b"" if status == 204 else random.Random(1).randbytes(draw.choice(SIZES))
    chunked = draw.random() < 0.3 and status != 204
    fields = [("date", "Mon, 21 Sep 2026 14:30:00 GMT"), *lines]
    fields += [] if chunked else [("content-length", str(len(body)))]
    return Scripted(
        draw_seed=draw.randrange(1 << 30),
        status=status,
        fields=tuple((name.encode(), value.encode()) for name, value in fields),
        body=body,
        length=None if chunked else len(body),
        fails=draw.random() < 0.1,
        cut_at=draw.randrange(len(body)) if body and draw.random() < 0.15 else None,
    )


class AppOnly(EdgeProtocol):
    """The same connection without its quick ways."""

    def _hit(self, target: bytes, facts: Any, opened: bool = False) -> bool:
        return False

    def _follow(self, target: bytes, facts: Any) -> bool:
        return False


async def heard_by_all(origin: Scripted, asks: list[bytes], protocol: str) -> list[Any]:
    """What players that ask at once for one cold resource hear, each on a connection of its own."""
    worker: Worker = worker_without_listener()
    worker.app._exchange.filler.asker.client = origin  # type: ignore[assignment]
    bound = worker.protocol()
    if protocol == "app":
        bound = type("Bound", (AppOnly,), {"shared": bound.shared})

    async def one(number: int, ask: bytes) -> Any:
        player = Player(worker, bound, f"10.0.0.{number}")
        pipe = player.connect(1e9 if number % 3 else 5e6)
        await asyncio.sleep(0.07 * number)  # the origin takes 0.3 to answer
        pipe.send(ask)
        heard = await player.answer(head_only=False)
        await asyncio.sleep(1)
        ended = pipe.ended
        player.leave()
        if heard is None or not heard.whole:
            return "cut"  # how much of it has come by then is chance
        lines = sorted((name, AT_LAST.sub("", value)) for name, value in heard.lines)
        return heard.status, lines, heard.body, ended

    heard = await asyncio.gather(*[one(number, ask) for number, ask in enumerate(asks)])
    await asyncio.sleep(60)
    await close_worker(worker)
    return list(heard)


def ask_of(draw: random.Random) -> bytes:
    lines = draw.sample(LINES, draw.choice([0, 0, 1, 1, 2]))
    head = "\r\n".join(["GET /x?CMCD=bl%3D1 HTTP/1.1", "Host: edge.test", *lines])
    return head.encode() + b"\r\n\r\n"


@pytest.mark.parametrize("seed", SEEDS)
def test_followers_and_the_app_say_the_same(seed: int) -> None:
    draw = random.Random(seed)
    for number in range(ROUNDS):
        origin = scripted(draw)
        asks = [ask_of(draw) for _ in range(draw.choice([1, 2, 5]))]
        heard = []
        for protocol in ("quick", "app"):
            with virtual_time() as loop:
                heard.append(loop.run_until_complete(heard_by_all(origin, asks, protocol)))
        for ask, quick, app in zip(asks, *heard, strict=True):
            assert quick == app, (seed, number, origin.status, origin.fields, ask, quick, app)
