"""What is served when an origin fails, and what one player's validation may tell the others."""

import asyncio
from time import monotonic

import pytest

from edge.purges import PurgeKind
from tests.support.edges import Asked, edge_and_origin, response, until

LASTING = "Cache-Control: max-age=1, stale-if-error=600, stale-while-revalidate=600"
SIE = "Cache-Control: max-age=10, stale-if-error=600"


async def test_an_error_that_may_be_stored_displaces_no_good_answer() -> None:
    async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        if len(origin.asked) == 1:
            writer.write(response(b"good", SIE))
        else:
            writer.write(response(b"", "Cache-Control: max-age=5", status="503 No"))

    async with edge_and_origin(script) as (edge, origin):
        await edge.get("/x")
        edge.purge(PurgeKind.ALL, soft=True)
        for _ in range(3):
            got = await edge.get("/x")
            assert (got.status, got.body) == (200, b"good"), got
            assert "detail=stale-if-error" in got.says


@pytest.mark.parametrize("control", [SIE, LASTING])
async def test_no_fill_to_be_had_is_an_error_too(control: str) -> None:
    """A node that may not ask answers with what it has."""
    gate = asyncio.Event()

    async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        if asked.target == b"/slow":
            await gate.wait()
        writer.write(response(b"good", control))

    async with edge_and_origin(script, fills_max=1) as (edge, _):
        await edge.get("/x")
        edge.purge(PurgeKind.ALL, soft=True)
        slow = asyncio.create_task(edge.get("/slow"))
        await until(lambda: len(edge.worker.tasks) == 1)
        for _ in range(2):
            got = await edge.get("/x")
            assert (got.status, got.body) == (200, b"good"), got
            assert "detail=stale" in got.says
        gate.set()
        assert (await slow).status == 200


async def test_what_was_stored_meanwhile_answers_for_a_failed_fetch() -> None:
    gate = asyncio.Event()

    async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        if asked.get("authorization") is not None:
            await gate.wait()
            writer.close()
        else:
            writer.write(response(b"good", "Cache-Control: max-age=600"))

    async with edge_and_origin(script) as (edge, origin):
        failing = asyncio.create_task(edge.get("/x", "Authorization: Basic eA=="))
        await until(lambda: len(origin.asked) == 1)
        await edge.get("/x")
        gate.set()
        got = await failing
        assert (got.status, got.body) == (200, b"good"), got


async def test_what_an_authorized_304_says_is_its_players_own() -> None:
    async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        cookie = "Set-Cookie: session=secret" if asked.get("authorization") else "X: y"
        lines = ("Cache-Control: max-age=600", 'ETag: "1"', cookie)
        if asked.get("if-none-match"):
            writer.write(f"HTTP/1.1 304 x\r\n{lines[0]}\r\n{lines[1]}\r\n{cookie}\r\n\r\n".encode())
        else:
            writer.write(response(b"for all", *lines))

    async with edge_and_origin(script) as (edge, origin):
        await edge.get("/x")
        edge.purge(PurgeKind.ALL, soft=True)
        mine = await edge.get("/x", "Authorization: Basic eA==")
        assert (mine.body, mine.get("set-cookie")) == (b"for all", b"session=secret")
        assert len(edge.worker.memory) == 1  # it drops nothing of the others' either
        for _ in range(2):
            others = await edge.get("/x")
            assert (others.body, others.get("set-cookie")) == (b"for all", None)
        assert origin.asked[-1].get("if-none-match") == b'"1"'


async def test_who_comes_late_to_a_long_fill_gets_nothing_stale() -> None:
    """A body that takes longer than it is fresh is for those who came while it was."""
    rest = asyncio.Event()

    async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        number = len(origin.asked)
        writer.write(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=1\r\nContent-Length: 2\r\n\r\n")
        writer.write(b"%d" % number)
        if number == 1:
            await rest.wait()
        writer.write(b"%d" % number)

    async with edge_and_origin(script) as (edge, origin):
        first = asyncio.create_task(edge.get("/x"))
        await until(lambda: any(fill.stored for fill in edge.worker.fills))
        await until(lambda: not any(fill.is_joinable(monotonic()) for fill in edge.worker.fills))
        for line in ("X: plain", "X-Forwarded-Port: 1"):  # the two ways to a fill
            assert (await edge.get("/x", line)).body != b"11"
        rest.set()
        assert (await first).body == b"11"
