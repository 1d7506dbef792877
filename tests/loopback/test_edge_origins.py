"""Several origins: another one is asked while nothing was sent, the dead ones come back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from edge.probes import Prober
from edge.purges import PurgeKind
from tests.support.edges import Asked, Edge, Origin, response, running_edge, running_origin, until

FRESH = "Cache-Control: max-age=600"


async def good(asked: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(response(b"good", FRESH))


async def gone(asked: Asked, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def reset(asked: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nCache-Con")
    await writer.drain()
    writer.transport.abort()


async def silent(asked: Asked, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(20)


async def sorry(asked: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(response(b"sorry", status="503 Service Unavailable"))


async def broken(asked: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(response(b"oops", status="500 Internal Server Error"))


async def junk(asked: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")


Script = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def origins(*scripts: Script, **limits: float) -> AsyncIterator[tuple[Edge, list[Origin]]]:
    """An edge before one origin for each script, all of one group."""
    async with AsyncExitStack() as stack:
        started = [await stack.enter_async_context(running_origin(each)) for each in scripts]
        url = ",".join(origin.url for origin in started)
        edge = await stack.enter_async_context(running_edge(url, **limits))
        yield edge, started


@pytest.mark.parametrize("failing", [gone, reset, silent, sorry, broken, junk])
async def test_a_second_origin_answers_where_the_first_fails(failing: Script) -> None:
    limits = {"first_byte_s": 1.0} if failing is silent else {}
    async with origins(failing, good, **limits) as (edge, (_, second)):
        for number in range(6):
            got = await edge.get_in_time(f"/{number}")
            assert (got.status, got.body) == (200, b"good"), got
        errors = edge.results()["error"]
        assert not errors or failing is silent
        assert 6 <= len(second.asked) <= 6 + errors
        assert edge.worker.counters.retries >= 1


async def test_an_origin_that_failed_thrice_is_asked_last() -> None:
    async with origins(gone, good) as (edge, (first, second)):
        for number in range(10):
            assert (await edge.get(f"/{number}")).status == 200
        assert len(first.asked) == 3
        said = edge.worker.snapshot()
        assert [said[f"origin_up {each.url}"] for each in (first, second)] == [0.0, 1.0]
        assert said[f"origin_failures {first.url} connection-lost"] == 3


async def test_all_down_fails_open() -> None:
    async with origins(gone, gone, origin_fall=1, retry_burst=100.0) as (edge, both):
        assert (await edge.get("/1")).status == 502
        assert edge.worker.origins.down == 2
        for origin in both:
            origin.script = good
        assert (await edge.get("/2")).body == b"good"
        assert edge.worker.origins.down == 2  # one success is not enough
        assert (await edge.get("/3")).body == b"good"
        assert edge.worker.origins.down == 1


async def test_the_worst_answer_is_still_an_answer() -> None:
    """Where every origin says 5xx the player gets what the last one said, not an error of ours."""
    async with origins(sorry, broken) as (edge, _):
        got = await edge.get("/")
        assert (got.status, got.body) == (500, b"oops")
    async with origins(sorry, gone) as (edge, _):
        got = await edge.get("/")
        assert (got.status, got.body) == (503, b"sorry")


async def test_what_may_happen_only_once_is_asked_once() -> None:
    async with origins(gone, good) as (edge, (first, second)):
        for lines, method in ((("Content-Length: 0",), "POST"), ((), "PATCH")):
            assert (await edge.get("/x", *lines, method=method)).status == 502
        assert len(first.asked) == 2
        assert second.asked == []
        assert (await edge.get("/x", "Content-Length: 0", method="DELETE")).status == 200


async def test_what_never_left_may_go_to_another() -> None:
    async with running_origin(good) as up, running_edge(f"http://127.0.0.1:1,{up.url}") as edge:
        got = await edge.get("/x", "Content-Length: 0", method="POST")
        assert got.body == b"good"


async def test_retries_are_bounded_when_all_is_down() -> None:
    async with origins(gone, retry_burst=3.0, retry_ratio=0.0) as (edge, (origin,)):
        for number in range(10):
            assert (await edge.get(f"/{number}")).status == 502
        assert len(origin.asked) == 13
        assert edge.worker.counters.retries_refused == 7


@pytest.mark.parametrize("failing", [gone, sorry, silent])
async def test_a_stale_entry_answers_where_no_origin_does(failing: Script) -> None:
    async def once(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(response(b"old", "Cache-Control: max-age=9, stale-if-error=60"))

    async with origins(once, failing, first_byte_s=1.0) as (edge, (first, _)):
        await edge.get_in_time("/feed")
        edge.purge(PurgeKind.URL, b"/feed", soft=True)
        first.script = failing
        got = await edge.get("/feed")
        assert got.body == b"old"
        assert "detail=stale-if-error" in got.says


async def test_probes_bring_an_origin_back() -> None:
    async with origins(gone, good) as (edge, (first, second)):
        for number in range(3):
            await edge.get(f"/{number}")
        assert edge.worker.origins.down == 1
        worker = edge.worker
        prober = Prober(
            worker.client, worker.origins, worker.counters, path="/health", limit_s=20.0
        )

        async def probe_on() -> None:
            while True:
                await prober.round()

        probing = asyncio.create_task(probe_on())
        await until(lambda: len(first.asked) > 6)
        assert edge.worker.origins.down == 1
        first.script = good
        await until(lambda: edge.worker.origins.down == 0)
        second.script = sorry
        await until(lambda: edge.worker.origins.down == 1)
        second.script = silent
        await until(lambda: second.asked[-1].target == b"/health")
        probing.cancel()
        assert (first.asked[-1].method, first.asked[-1].target) == ("HEAD", b"/health")
        assert (await edge.get("/new")).body == b"good"
        assert first.asked[-1].target == b"/new"


async def test_nothing_is_probed_that_has_no_stand_in() -> None:
    async with origins(good) as (edge, (origin,)):
        assert await edge.worker.probe(None) == {}
        assert origin.asked == []


async def test_the_total_time_of_an_answer_is_bounded() -> None:
    async def dribble(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(response(b"", FRESH, length=10_000))
        while not writer.is_closing():
            writer.write(b"x")
            await asyncio.sleep(0.02)

    async with origins(dribble, total_s=0.3) as (edge, _):
        assert not (await edge.get_in_time("/slow")).whole
