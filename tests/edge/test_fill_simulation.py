"""Clients, purges and a dying origin, in an order that a seed decides."""

import asyncio
import random
from collections import Counter
from collections.abc import Coroutine
from dataclasses import fields
from typing import Any

import pytest

from cache_policies.message import Fields, RequestHead
from edge.asking import Asked
from edge.collapse import Fill, Phase
from edge.delivery import Answer
from edge.errors import UpstreamError
from edge.fetch import Fetch
from edge.filling import Filler
from edge.purges import PurgeKind
from edge.worker import Worker
from tests.support.wire import close_worker, worker_without_listener

HOST = b"edge.test"
KEYS = [b"/one", b"/two", b"/checked", b"/varied", b"/private"]
SHARED = {b"/one", b"/two", b"/varied"}
LANGUAGES = [b"tr", b"de", b"az"]
SPOKEN = {b"az": b"tr"}  # what is said to those whose language the origin does not speak
CLIENTS, REQUESTS, PURGES = 12, 25, 25


class World:
    """The origin's content, which only moves on, and what purges were acknowledged for."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.version = dict.fromkeys(KEYS, 1)
        self.purged = dict.fromkeys(KEYS, 1)  # no response from now on may be older
        self.open = Counter[bytes]()  # responses not yet closed, by key
        self.fills: list[Fill] = []

    async def pause(self, turns_max: int) -> None:
        for _ in range(self.draw.randrange(turns_max + 1)):
            await asyncio.sleep(0)

    def content(self, key: bytes, language: bytes, version: int) -> bytes:
        return b"%b %b %d;" % (key, self.spoken(key, language), version) * 40

    def spoken(self, key: bytes, language: bytes) -> bytes:
        return SPOKEN.get(language, language) if key == b"/varied" else b""


class Client:
    """Stands in for the fill client: an origin that answers, validates, stalls and dies."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def fetch(self, upstream: object, fetch: Fetch) -> "Response":
        world, key = self.world, fetch.target
        asked = dict(fetch.fields)
        await world.pause(6)
        version = world.version[key]
        await world.pause(40)  # purges come in between
        if world.draw.random() < 0.1:
            raise UpstreamError("connection-lost")
        return Response(world, key, version, asked)

    def close(self) -> None:
        pass


class Watched(Filler):
    """Says so when two fills of the same thing run at a time."""

    __slots__ = ("world",)

    def run(self, fill: Fill, asked: Asked) -> Coroutine[Any, Any, None]:
        for other in self.world.fills:
            runs = other.phase in (Phase.ASKED, Phase.KEPT) and not other.outdated
            assert not (runs and (other.key, other.variant) == (fill.key, fill.variant))
        if fill.key[len(b"http://") + len(HOST) :] in SHARED:
            self.world.fills.append(fill)
        return super().run(fill, asked)


class Response:
    def __init__(
        self,
        world: World,
        key: bytes,
        version: int,
        asked: dict[bytes, bytes],
    ) -> None:
        language = asked.get(b"accept-language", b"")
        etag = b'"%d%b"' % (version, world.spoken(key, language))
        self._world, self._key = world, key
        world.open[key] += 1
        known = asked.get(b"if-none-match", b"").split(b", ")
        self.status = 304 if etag in known else 200
        body = b"" if self.status == 304 else world.content(key, language, version)
        size = world.draw.randrange(1, 200)
        self._pieces = [body[at : at + size] for at in range(0, len(body), size)]
        self._dies_at = world.draw.randrange(1, 40) if world.draw.random() < 0.1 else None
        self.length = len(body) if world.draw.random() < 0.5 else None
        self.fields: Fields = (
            (b"etag", etag),
            (b"surrogate-key", key[1:] + b" all"),
            (b"cache-control", _cache_control(key)),
            *(((b"vary", b"accept-language"),) if key == b"/varied" else ()),
            *(((b"content-length", b"%d" % self.length),) if self.length is not None else ()),
        )
        self._is_open = True

    async def read(self) -> bytes:
        await self._world.pause(4)
        if self._dies_at is not None:
            self._dies_at -= 1
            if self._dies_at <= 0:
                self.close()
                raise UpstreamError("truncated")
        if self._pieces:
            return self._pieces.pop(0)
        self.close()
        return b""

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._world.open[self._key] -= 1


def _cache_control(key: bytes) -> bytes:
    if key == b"/private":
        return b"private"
    return b"no-cache" if key == b"/checked" else b"max-age=1000"


async def ask(world: World, worker: Worker, seed: int) -> str:
    """One request; returns what Cache-Status said."""
    key, language = world.draw.choice(KEYS), world.draw.choice(LANGUAGES)
    oldest = world.version[key] if key in (b"/private", b"/checked") else world.purged[key]
    request = RequestHead(b"GET", b"http", HOST, key, ((b"accept-language", language),))
    exchange = worker.app._exchange
    answer: Answer = await exchange.answer(request, Asked())
    says = dict(answer.fields)[b"cache-status"].decode()
    got = b""
    leaves_at = world.draw.randrange(2000) if world.draw.random() < 0.1 else None
    try:
        while piece := await answer.body.read():
            got += bytes(piece)
            await world.pause(3)
            if leaves_at is not None and len(got) > leaves_at:
                return says
    except UpstreamError:
        return says + "; cut"
    finally:
        answer.body.close()
    if answer.status == 200:
        possible = [
            world.content(key, language, version)
            for version in range(oldest, world.version[key] + 1)
        ]
        assert got in possible, (seed, key, language, oldest, world.version[key], got[:60], says)
    else:
        assert answer.status == 502, (seed, answer)
    return says


async def purge(world: World, worker: Worker) -> None:
    """The content moves on; then the purge is published, applied, and so acknowledged."""
    key = world.draw.choice(KEYS)
    world.version[key] += 1
    await world.pause(10)
    kinds = [
        (PurgeKind.URL, b"http://" + HOST + key, [key]),
        (PurgeKind.TAG, key[1:], [key]),
        (PurgeKind.PREFIX, b"/", KEYS),
        (PurgeKind.ALL, b"", KEYS),
    ]
    kind, value, keys = world.draw.choice(kinds)
    moved_to = {each: world.version[each] for each in keys}
    worker.page.publish(kind, value)  # type: ignore[attr-defined]
    if world.draw.random() < 0.5:  # else the next request finds it
        worker.follower.catch_up()
    for each in keys:
        world.purged[each] = max(world.purged[each], moved_to[each])


@pytest.mark.parametrize("seed", range(30))
async def test_no_order_of_events_breaks_the_invariants(seed):
    world = World(seed)
    worker = worker_without_listener()
    exchange = worker.app._exchange
    parts = {each.name: getattr(exchange.filler, each.name) for each in fields(Filler) if each.init}
    exchange.filler = Watched(**parts)
    exchange.filler.asker.client = Client(world)
    exchange.filler.world = world

    async def client() -> list[str]:
        said = []
        for _ in range(REQUESTS):
            await world.pause(30)
            said.append(await ask(world, worker, seed))
        return said

    async def purger() -> None:
        for _ in range(PURGES):
            await world.pause(60)
            await purge(world, worker)

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        clients = [group.create_task(client()) for _ in range(CLIENTS)]
        group.create_task(purger())
    said = [each for task in clients for each in task.result()]
    await worker.tasks.close()
    assert any("hit" in each for each in said)
    assert any("collapsed" in each for each in said)
    assert +world.open == Counter(), (seed, world.open)
    assert worker.memory.fill_bytes == 0
    assert len(worker.fills) == 0
    await close_worker(worker)
