"""However many unsafe requests come at once, no worker loses what they do not name."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from edge.control import ControlLine
from edge.counters import Counters
from edge.errors import RefusedError
from edge.invalidating import Invalidating
from edge.invalidations import BATCHES_MAX, Invalidations
from edge.memory import Memory
from edge.orders import PurgeOrder
from edge.promoting import LowerTiers
from edge.purges import PurgeFollower, PurgeKind, PurgePage
from edge.receipts import Receipt
from edge.settings import Limits
from tests.support.responses import request

PADDING = b"x" * 8_000


class LateWorker:
    """Applies what was published only when it is told to wait no longer."""

    def __init__(self, page: PurgePage) -> None:
        self.page = page
        self.seen: list[tuple[PurgeKind, bytes]] = []
        self.follower = PurgeFollower(page, 0, lambda p: self.seen.append((p.kind, p.value)))
        self.orders = 0
        self.running = 0
        self.running_max = 0
        self.may_apply = asyncio.Event()

    async def purge(self, order: PurgeOrder) -> Receipt:
        self.orders += 1
        self.running += 1
        self.running_max = max(self.running, self.running_max)
        for value in order.values:
            sequence = self.page.publish(order.kind, value)
        await self.may_apply.wait()
        self.follower.catch_up()
        self.running -= 1
        return Receipt(sequence=sequence, workers=1, hanging=(), took_ms=0.0)


@asynccontextmanager
async def one_late_worker():
    page = PurgePage.create(workers=1)
    worker = LateWorker(page)
    invalidations = Invalidations(worker.purge)
    running = asyncio.create_task(invalidations.run())
    try:
        yield worker, invalidations
    finally:
        running.cancel()
        await asyncio.wait([running])
        worker.follower.detach()
        page.close()


async def test_a_flood_overruns_no_worker():
    async with one_late_worker() as (worker, invalidations):
        keys = [b"http://a/%d?" % number + PADDING for number in range(600)]  # 5 MiB
        asked = [asyncio.create_task(invalidations.invalidate([key])) for key in keys]
        for _ in range(20):
            await asyncio.sleep(0)
        assert worker.running == BATCHES_MAX
        worker.may_apply.set()
        sequences = await asyncio.gather(*asked)
        assert sorted(worker.seen) == sorted((PurgeKind.URL, key) for key in keys)
        assert max(sequences) == worker.page.epoch() == len(keys)
        assert worker.running_max == BATCHES_MAX


async def test_what_waits_already_is_not_purged_twice():
    async with one_late_worker() as (worker, invalidations):
        asked = [
            asyncio.create_task(invalidations.invalidate([b"http://a/%d" % (number % 7)]))
            for number in range(5_000)
        ]
        for _ in range(20):
            await asyncio.sleep(0)
        worker.may_apply.set()
        await asyncio.gather(*asked)
        assert len(worker.seen) <= 7 * (BATCHES_MAX + 1)


async def test_one_that_is_asked_for_again_while_it_is_purged_is_purged_again():
    async with one_late_worker() as (worker, invalidations):
        first = asyncio.create_task(invalidations.asked(["http://a/x"]))
        for _ in range(5):
            await asyncio.sleep(0)
        second = asyncio.create_task(invalidations.asked(["http://a/x"]))
        worker.may_apply.set()
        assert (await first, await second) == (1, 2)


async def test_a_key_that_no_request_can_have_needs_no_purge():
    async with one_late_worker() as (worker, invalidations):
        assert await invalidations.invalidate([b"http://a/" + b"x" * 20_000]) == 0
        assert not worker.orders


class NoAnswer(ControlLine):
    """A supervisor that is busy."""

    def __init__(self) -> None:
        self.answer = asyncio.Event()

    async def ask(self, question, detail=None, *, limit_s):
        await self.answer.wait()


async def test_what_could_change_more_is_refused_while_too_much_waits():
    page = PurgePage.create(workers=1)
    follower = PurgeFollower(page, 0, lambda _purge: None)
    invalidating = Invalidating(
        lambda _purge: None,
        lower=LowerTiers(counters=Counters(), account=Memory(1 << 20), whole_max_bytes=1),
        follower=follower,
        limits=Limits(invalidations_max=2),
    )
    line = invalidating.line = NoAnswer()
    waiting = [asyncio.create_task(invalidating.invalidate((b"http://a/x",))) for _ in range(2)]
    invalidating.check(request(method="POST"))
    await asyncio.sleep(0)
    invalidating.check(request(method="GET"))
    with pytest.raises(RefusedError, match="invalidations-max"):
        invalidating.check(request(method="POST"))
    line.answer.set()
    await asyncio.gather(*waiting)
    invalidating.check(request(method="POST"))
    follower.detach()
    page.close()
