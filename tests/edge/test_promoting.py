"""A fill asks the tiers below memory before any upstream."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from cache_policies.message import Fields, RequestHead
from edge.asking import Asked
from edge.body import SLICE_BYTES
from edge.delivery import Answer
from edge.errors import UpstreamError
from edge.fetch import Fetch
from edge.purges import PurgeKind
from edge.worker import Worker
from tests.support.held_tier import DictHeld, DictTier
from tests.support.rules import compiled
from tests.support.wire import close_worker, worker_without_listener

KEY = b"http://edge.test/held"
FRESH: Fields = ((b"cache-control", b"max-age=6000"), (b"surrogate-key", b"tagged"))
BODY = bytes(range(256)) * (SLICE_BYTES // 128)  # two slices and no more
OF_ORIGIN = b"of the origin"


class Response:
    status = 200
    fields = FRESH
    length = len(OF_ORIGIN)

    def __init__(self) -> None:
        self._pieces = [b"", OF_ORIGIN]

    async def read(self) -> bytes:
        return self._pieces.pop()

    def close(self) -> None:
        pass


class Client:
    """Stands in for the fill client: an origin that always answers."""

    def __init__(self) -> None:
        self.asked = 0

    async def fetch(self, upstream: object, fetch: Fetch) -> Response:
        self.asked += 1
        return Response()

    def close(self) -> None:
        pass


class Rig:
    def __init__(self) -> None:
        self.worker: Worker = worker_without_listener()
        self.tier = DictTier()
        self.client = Client()
        filler = self.worker.app._exchange.filler
        filler.tiers, filler.asker.client = (self.tier,), self.client  # type: ignore[assignment]

    async def ask(self, *fields: tuple[bytes, bytes]) -> Answer:
        request = RequestHead(b"GET", b"http", b"edge.test", b"/held", fields)
        return await self.worker.app._exchange.answer(request, Asked())

    async def body(self, *fields: tuple[bytes, bytes]) -> bytes:
        answer = await self.ask(*fields)
        got = b""
        while piece := await answer.body.read():
            got += piece
        answer.body.close()
        return got

    def purge(self, kind: PurgeKind, value: bytes = b"") -> None:
        self.worker.page.publish(kind, value)  # type: ignore[attr-defined]


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    rig = Rig()
    yield rig
    assert not any(held.is_open for held in rig.tier.held.values())
    await close_worker(rig.worker)


async def test_what_is_held_is_served_and_kept_in_memory(rig):
    held = rig.tier.held[KEY] = DictHeld(BODY, FRESH, age_s=20.0)
    answer = await rig.ask()
    assert dict(answer.fields)[b"age"] == b"20"
    answer.body.close()
    assert await rig.body() == BODY
    assert rig.client.asked == 0
    held.dropped = True
    assert await rig.body() == BODY
    assert rig.worker.memory.find(KEY, ()).slices == (BODY[:SLICE_BYTES], BODY[SLICE_BYTES:])
    assert rig.tier.offered == []  # it has it


async def test_what_is_fetched_is_offered(rig):
    assert await rig.body() == OF_ORIGIN
    assert [entry.key for entry in rig.tier.offered] == [KEY]


@pytest.mark.parametrize(
    ("held", "dropped"),
    [
        (DictHeld(BODY, FRESH, age_s=6001.0), False),
        (DictHeld(BODY, ((b"cache-control", b"no-cache"), (b"etag", b'"1"'))), False),
        (DictHeld(BODY, ((b"cache-control", b"no-store"),)), True),
        (DictHeld(BODY, (*FRESH, (b"content-length", b"7"))), True),
        (DictHeld(BODY, FRESH, damaged=[0]), True),
    ],
    ids=["stale", "no-cache", "no-store", "of another length", "damaged"],
)
async def test_what_may_not_answer_is_a_miss(rig, held, dropped):
    rig.tier.held[KEY] = held
    assert await rig.body() == OF_ORIGIN
    assert held.dropped is dropped
    assert rig.client.asked == 1


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (PurgeKind.URL, KEY),
        (PurgeKind.TAG, b"tagged"),
        (PurgeKind.PREFIX, b"/h"),
        (PurgeKind.ALL, b""),
    ],
)
async def test_what_was_purged_is_a_miss(rig, kind, value):
    held = rig.tier.held[KEY] = DictHeld(BODY, FRESH)
    rig.purge(kind, value)
    assert await rig.body() == OF_ORIGIN
    assert held.dropped


async def test_a_purge_of_something_else_leaves_it(rig):
    rig.tier.held[KEY] = DictHeld(BODY, FRESH)
    rig.purge(PurgeKind.TAG, b"other")
    assert await rig.body() == BODY


async def test_damage_after_the_first_slice_never_looks_like_the_end(rig):
    held = rig.tier.held[KEY] = DictHeld(BODY, FRESH, damaged=[1])
    held.gate = asyncio.Event()
    answer = await rig.ask()
    assert await answer.body.read() == BODY[:SLICE_BYTES]
    held.gate.set()
    with pytest.raises(UpstreamError):
        await answer.body.read()
    answer.body.close()
    assert held.dropped
    assert await rig.body() == OF_ORIGIN


async def test_a_policy_keeps_off_the_disk(rig):
    rig.tier.held[KEY] = DictHeld(BODY, FRESH)
    filler = rig.worker.app._exchange.filler
    filler.in_force.policies = compiled("rules: [{name: a, set: {tiers: memory}}]")
    assert await rig.body() == OF_ORIGIN
    assert rig.tier.offered == []
