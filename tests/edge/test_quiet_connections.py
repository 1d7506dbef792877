"""When a player's connection is closed because nothing is asked on it, by an exact clock."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from cache_policies.message import RequestHead, ResponseHead
from cache_policies.policy import CachePolicy
from cache_policies.stored import Times
from cache_policies.storing import Store, judge_storing
from edge.entry import Entry
from edge.worker import Worker
from tests.support.simulated_player import Pipe, Player
from tests.support.virtual_time import VirtualLoop, virtual_time
from tests.support.wire import close_worker, worker_without_listener

LIMIT_S = 75.0
PATHS = pytest.mark.parametrize("target", ["/hit", "/.amaro/live"])  # quick, and by the app

Life = Callable[[Player, Pipe], Awaitable[None]]


def lasting(target: str) -> Entry:
    """A stored response that is fresh for long."""
    judged = judge_storing(
        RequestHead(b"GET", b"http", b"edge.test", target.encode(), ()),
        ResponseHead(200, ((b"cache-control", b"max-age=1000000"),)),
        Times(response_wall=time.time(), response_mono=time.monotonic()),
        CachePolicy(),
    )
    assert isinstance(judged, Store)
    return Entry(b"http://edge.test" + target.encode(), judged.stored, [b"from memory"])


def lived(life: Life) -> None:
    """Have one connection live through `life` in virtual time."""

    async def run(loop: VirtualLoop) -> None:
        worker: Worker = worker_without_listener(keep_alive_s=LIMIT_S)
        worker.memory.store(lasting("/hit"))
        player = Player(worker, worker.protocol(), "10.0.0.1")  # type: ignore[arg-type]
        pipe = player.connect(1e9)
        await life(player, pipe)
        player.leave()
        await asyncio.sleep(1)
        await close_worker(worker)

    with virtual_time() as loop:
        loop.run_until_complete(run(loop))


async def ask(player: Player, pipe: Pipe, target: str) -> None:
    pipe.send(f"GET {target} HTTP/1.1\r\nHost: edge.test\r\n\r\n".encode())
    heard = await player.answer(head_only=False)
    assert heard is not None
    assert heard.status == 200


async def ended_after_s(pipe: Pipe) -> float:
    began = time.monotonic()
    while not pipe.ended:
        pipe.news.clear()
        await pipe.news.wait()
    return time.monotonic() - began


@PATHS
def test_a_quiet_connection_is_closed(target: str) -> None:
    async def life(player: Player, pipe: Pipe) -> None:
        await asyncio.sleep(10)
        await ask(player, pipe, target)
        assert abs(await ended_after_s(pipe) - LIMIT_S) < 0.1

    lived(life)


@PATHS
def test_requests_keep_a_connection_open(target: str) -> None:
    async def life(player: Player, pipe: Pipe) -> None:
        for _ in range(10):
            await ask(player, pipe, target)
            await asyncio.sleep(LIMIT_S - 1)
        await ask(player, pipe, target)
        assert not pipe.ended

    lived(life)


def test_who_asks_nothing_is_closed() -> None:
    async def life(_: Player, pipe: Pipe) -> None:
        assert abs(await ended_after_s(pipe) - LIMIT_S) < 0.1

    lived(life)
