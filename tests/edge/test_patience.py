"""A wait ends at the next news, or when its time is up, whatever earlier waits were promised."""

import asyncio

import pytest

from edge.patience import Patience
from tests.support.virtual_time import virtual_time


def test_news_ends_a_wait_and_only_its_own_time_runs_out():
    async def scene() -> list[float]:
        loop = asyncio.get_running_loop()
        patience, ended_s = Patience(), []
        for limit_s, told_after_s in [(30.0, 1.0), (15.0, 14.0), (15.0, 14.0), (None, 50.0)]:
            loop.call_later(told_after_s, patience.tell)
            await patience.wait(limit_s)
            ended_s.append(loop.time())
        for limit_s in (30.0, 2.0, 30.0):
            began_s = loop.time()
            with pytest.raises(TimeoutError):
                await patience.wait(limit_s)
            ended_s.append(loop.time() - began_s)
        patience.close()
        return ended_s

    with virtual_time() as loop:
        began_s = loop.time()
        *told_s, first_s, second_s, third_s = loop.run_until_complete(scene())
    assert [each - began_s for each in told_s] == pytest.approx([1.0, 15.0, 29.0, 79.0], abs=1e-3)
    assert [first_s, second_s, third_s] == pytest.approx([30.0, 2.0, 30.0], abs=1e-3)


def test_a_wait_that_is_cancelled_leaves_the_next_one_its_time():
    async def scene() -> float:
        loop = asyncio.get_running_loop()
        patience = Patience()
        waiting = asyncio.ensure_future(patience.wait(5.0))
        await asyncio.sleep(1.0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        began_s = loop.time()
        with pytest.raises(TimeoutError):
            await patience.wait(5.0)
        return loop.time() - began_s

    with virtual_time() as loop:
        assert loop.run_until_complete(scene()) == pytest.approx(5.0, abs=1e-3)


def test_news_before_a_wait_is_not_kept_and_a_closed_one_holds_no_timer():
    async def scene() -> None:
        patience = Patience()
        patience.tell()
        with pytest.raises(TimeoutError):
            await patience.wait(0.5)
        waiting = asyncio.ensure_future(patience.wait(1.0))
        await asyncio.sleep(0)
        patience.tell()
        await waiting
        patience.close()
        patience.close()

    with virtual_time() as loop:
        loop.run_until_complete(scene())
