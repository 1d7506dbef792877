"""A fill asks the tiers below memory before any upstream."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from cache_policies.message import Fields, RequestHead
from edge.arena import SLICE_BYTES
from edge.asking import Asked, Asker
from edge.delivery import Answer
from edge.errors import UpstreamError
from edge.fetch import Fetch
from edge.held import HeldResponse
from edge.memory import Memory
from edge.purges import PurgeKind
from edge.worker import Worker
from tests.support.edges import until
from tests.support.held_tier import DictHeld, DictTier
from tests.support.rules import compiled
from tests.support.wire import close_worker, worker_without_listener

KEY = b"http://edge.test/held"
FRESH: Fields = ((b"cache-control", b"max-age=6000"), (b"surrogate-key", b"tagged"))
CHECKED: Fields = ((b"cache-control", b"max-age=6000, stale-if-error=6000"), (b"etag", b'"1"'))
BODY = bytes(range(256)) * (SLICE_BYTES // 128)  # two slices and no more
OF_ORIGIN = b"of the origin"


class Response:
    fields: Fields = FRESH
    length = len(OF_ORIGIN)

    def __init__(self, status: int) -> None:
        self.status = status
        self._pieces = [b"", OF_ORIGIN]
        if status == 304:
            said = (*FRESH, (b"etag", b'"1"'), (b"set-cookie", b"now"))
            self.fields, self.length, self._pieces = said, 0, [b""]

    async def read(self) -> bytes:
        return self._pieces.pop()

    def close(self) -> None:
        pass


class Rest(Response):
    """The end of the body that is held."""

    def __init__(self, data: bytes) -> None:
        first, size = len(BODY) - len(data), len(BODY)
        self.status, self.length, self._pieces = 206, len(data), [b"", data]
        where = b"bytes %d-%d/%d" % (first, size - 1, size)
        self.fields = (*CHECKED, (b"content-range", where))


class Client:
    """Stands in for the fill client: an origin that says `status` to what has conditions."""

    def __init__(self) -> None:
        self.asked = 0
        self.status = 200
        self.rest: bytes | None = None  # of the body that is held
        self.gate: asyncio.Event | None = None  # answers wait for it

    async def fetch(self, upstream: object, fetch: Fetch) -> Response:
        self.asked += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.status == 0:
            raise UpstreamError("connect-refused")
        if any(name == b"if-range" for name, _ in fetch.fields) and self.rest is not None:
            return Rest(self.rest)
        conditions = any(name == b"if-none-match" for name, _ in fetch.fields)
        return Response(self.status if conditions or self.status >= 500 else 200)

    def close(self) -> None:
        pass


class Rig:
    def __init__(self) -> None:
        self.worker: Worker = worker_without_listener()
        self.tier = DictTier()
        self.client = Client()
        filler = self.worker.app._exchange.filler
        filler.asker.client = self.client  # type: ignore[assignment]
        self.worker.lower.tiers = (self.tier,)

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


@pytest.mark.parametrize("end", [HeldResponse.close, HeldResponse.drop])
async def test_what_is_verified_and_not_sent_yet_counts_as_memory(end):
    memory = Memory(64 << 20)
    response = HeldResponse(DictHeld(BODY, FRESH), memory)
    await response.begin(may_break=False)
    assert memory.ahead_bytes == len(BODY)
    assert await response.read() == BODY[:SLICE_BYTES]
    assert memory.ahead_bytes == len(BODY) - SLICE_BYTES
    end(response)
    assert memory.ahead_bytes == 0


async def test_what_is_fetched_is_offered(rig):
    assert await rig.body() == OF_ORIGIN
    assert [entry.key for entry in rig.tier.offered] == [KEY]


@pytest.mark.parametrize(
    ("held", "dropped"),
    [
        (DictHeld(BODY, FRESH, age_s=6001.0), False),
        (DictHeld(BODY, ((b"cache-control", b"no-cache"), (b"etag", b'"1"'))), True),
        (DictHeld(BODY, ((b"cache-control", b"no-store"),)), True),
        (DictHeld(BODY, (*FRESH, (b"content-length", b"7"))), True),
        (DictHeld(BODY, FRESH, damaged=[0]), True),
    ],
    ids=["stale", "replaced", "no-store", "of another length", "damaged"],
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


OUTCOMES = {  # (age, what the origin says): body, what Cache-Status says, dropped
    (20.0, 200): (BODY, b"hit; detail=disk", False),
    (6070.0, 200): (OF_ORIGIN, b"fwd=uri-miss; fwd-status=200; stored; detail=compulsory", True),
    (6070.0, 304): (BODY, b"fwd=stale; fwd-status=304; stored; detail=disk", False),
    (6070.0, 503): (BODY, b"hit; detail=stale-if-error", False),
    (6070.0, 0): (BODY, b"hit; detail=stale-if-error", False),
    (12070.0, 304): (BODY, b"fwd=stale; fwd-status=304; stored; detail=disk", False),
    (12070.0, 503): (OF_ORIGIN, b"fwd=uri-miss; fwd-status=503; stored; detail=compulsory", False),
    (12070.0, 0): (None, b"fwd=uri-miss; detail=connect-refused", False),
}


def without_ttl(said: bytes) -> bytes:
    return re.sub(rb"; ttl=-?\d+", b"", said)


@pytest.mark.parametrize(("age_s", "status"), OUTCOMES)
async def test_what_is_stale_is_validated(rig, age_s, status):
    held = rig.tier.held[KEY] = DictHeld(BODY, CHECKED, age_s=age_s)
    rig.client.status = status
    body, says, dropped = OUTCOMES[age_s, status]
    answer = await rig.ask()
    got = b""
    while piece := await answer.body.read():
        got += piece
    answer.body.close()
    assert without_ttl(dict(answer.fields)[b"cache-status"]) == b"amaro-edge; " + says
    assert got == body or body is None
    assert held.dropped is dropped
    if says.startswith(b"fwd=stale"):
        assert [entry.stored.lifetime_s for entry in rig.tier.offered] == [6000.0]


async def test_who_has_it_validated_gets_the_fields_of_now(rig):
    rig.tier.held[KEY] = DictHeld(BODY, CHECKED, age_s=7000.0)
    rig.client.status = 304
    answer = await rig.ask()
    assert (b"set-cookie", b"now") in answer.fields
    assert (b"cache-control", b"max-age=6000") in answer.fields
    answer.body.close()


async def test_what_another_edge_finds_good_knows_no_more_purges_than_that(rig, monkeypatch):
    ask = Asker.ask

    async def of_another_edge(*args, **options):
        return replace(await ask(*args, **options), sequence=1)

    monkeypatch.setattr(Asker, "ask", of_another_edge)
    rig.tier.held[KEY] = DictHeld(BODY, CHECKED, age_s=7000.0)
    rig.client.status = 304
    for name in (b"a", b"b", b"c"):
        rig.purge(PurgeKind.TAG, name)
    assert await rig.body() == BODY
    await until(lambda: rig.worker.memory.peek(KEY, b"") is not None)
    assert rig.worker.memory.peek(KEY, b"").stored.purge_sequence == 1


async def test_what_one_player_is_told_of_it_is_nobody_elses(rig):
    """A 304 to a request with Authorization, of a response that all may have."""
    held = rig.tier.held[KEY] = DictHeld(BODY, CHECKED, age_s=7000.0)
    rig.client.status = 304
    mine = await rig.ask((b"authorization", b"me"))
    assert (b"set-cookie", b"now") in mine.fields
    assert await mine.body.read() == BODY[:SLICE_BYTES]
    while await mine.body.read():
        pass
    mine.body.close()
    assert rig.worker.memory.find(KEY, ()) is None
    assert (rig.tier.offered, held.dropped) == ([], False)


async def test_it_stands_in_no_longer_than_it_may(rig):
    """The origin may take its time to fail: what counts is how stale it is by then."""
    fields = ((b"cache-control", b"max-age=10, stale-if-error=30"), (b"etag", b'"1"'))
    held = rig.tier.held[KEY] = DictHeld(BODY, fields, age_s=39.5)
    rig.client.status, rig.client.gate = 0, asyncio.Event()
    asking = asyncio.create_task(rig.ask())
    await until(lambda: rig.client.asked == 1)
    over_mono = held.times.response_mono + 41.0
    await until(lambda: time.monotonic() > over_mono)
    rig.client.gate.set()
    assert (await asking).status == 502


async def test_a_soft_purge_has_it_validated(rig):
    rig.tier.held[KEY] = DictHeld(BODY, CHECKED)
    rig.client.status = 304
    rig.worker.page.publish(PurgeKind.URL, KEY, soft=True)  # type: ignore[attr-defined]
    answer = await rig.ask()
    assert b"fwd=stale; fwd-status=304" in dict(answer.fields)[b"cache-status"]
    answer.body.close()


async def test_what_cannot_be_trusted_is_validated_or_not_served(rig):
    held = rig.tier.held[KEY] = DictHeld(BODY, CHECKED)
    held.trusted = False
    rig.client.status = 0
    assert (await rig.ask()).status == 502
    rig.client.status = 304
    assert await rig.body() == BODY


async def test_what_must_be_validated_and_cannot_is_a_504(rig):
    strict = ((b"etag", b'"1"'), (b"cache-control", b"max-age=0, must-revalidate"))
    rig.tier.held[KEY] = DictHeld(BODY, strict)
    rig.client.status = 0
    assert (await rig.ask()).status == 504


async def test_a_request_that_wants_it_checked_gets_it_checked(rig):
    rig.tier.held[KEY] = DictHeld(BODY, FRESH)
    held = await rig.ask()
    assert await rig.body((b"cache-control", b"no-cache")) == OF_ORIGIN
    held.body.close()


async def test_damage_after_the_first_slice_is_made_good(rig):
    held = rig.tier.held[KEY] = DictHeld(BODY, CHECKED, damaged=[1])
    held.gate = asyncio.Event()
    answer = await rig.ask()
    got = bytes(await answer.body.read())
    rig.client.rest = BODY[SLICE_BYTES:]
    held.gate.set()
    while piece := await answer.body.read():
        got += piece
    answer.body.close()
    assert got == BODY
    assert held.dropped
    assert rig.worker.memory.find(KEY, ()).length == len(BODY)


async def test_what_cannot_be_made_good_is_verified_first(rig):
    rig.tier.held[KEY] = DictHeld(BODY, FRESH, damaged=[1])
    assert await rig.body() == OF_ORIGIN


async def test_damage_after_the_first_slice_never_looks_like_the_end(rig):
    held = rig.tier.held[KEY] = DictHeld(BODY, CHECKED, damaged=[1])
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
