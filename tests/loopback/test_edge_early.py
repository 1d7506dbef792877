"""What an origin says before its answer: early hints go on to who asks, the rest stays here."""

import asyncio

import pytest

from tests.support.edges import Asked, edge_and_origin, response, until
from tests.support.http2 import Http2Client
from tests.support.tls import EDGE

HINT = (
    b"HTTP/1.1 103 Early Hints\r\nLink: </app.css>; rel=preload; as=style\r\n"
    b"Connection: x-mine\r\nX-Mine: 1\r\nSurrogate-Key: tag\r\n\r\n"
)
LINK = b"</app.css>; rel=preload; as=style"


async def hinting(asked: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + HINT)
    await writer.drain()
    writer.write(response(b"page", "Cache-Control: max-age=60"))


@pytest.mark.parametrize(
    "lines", [(), ("Range: bytes=0-",), ("Authorization: me",), ("If-Match: *",)], ids=str
)
async def test_early_hints_reach_the_one_who_asks(lines: tuple[str, ...]) -> None:
    async with edge_and_origin(hinting) as (edge, _):
        client = await edge.client()
        early = await client.ask("/page", *lines)
        assert early.status == 103
        assert early.fields == [("link", LINK)]
        final = await client.read()
        assert (final.status in (200, 206), final.body) == (True, b"page")
        hit = await client.get("/page")
        if not lines:
            assert "hit" in hit.says  # and a stored response hints at nothing
            assert hit.status == 200


async def test_early_hints_reach_who_asks_over_http2() -> None:
    async with edge_and_origin(hinting, tls=[EDGE]) as (edge, _):
        client = await Http2Client.open(edge)
        for lines in ((), ("range: bytes=0-",), ("authorization: me",)):
            got = await client.get("/page", *lines)
            assert got.early == [(103, [("link", LINK)])] or "hit" in got.says
            assert (got.status in (200, 206), got.body, got.ended) == (True, b"page", True)
        await client.close()


async def test_http_1_0_is_told_nothing_early() -> None:
    async with edge_and_origin(hinting) as (edge, _):
        client = await edge.client()
        client.send(b"GET /page HTTP/1.0\r\nHost: edge.test\r\n\r\n")
        got = await client.read()
        assert (got.status, got.body) == (200, b"page")


async def test_those_who_wait_get_the_answer_only() -> None:
    go = asyncio.Event()

    async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await go.wait()
        await hinting(asked, writer)

    async with edge_and_origin(script) as (edge, origin):
        leader, other = await edge.client(), await edge.client()
        first = asyncio.create_task(leader.ask("/page"))
        await until(lambda: len(origin.asked) == 1)
        second = asyncio.create_task(other.ask("/page"))
        await until(lambda: edge.worker.fills.waiting == 2)
        go.set()
        assert (await first).status == 103
        assert (await leader.read()).body == b"page"
        assert (await second).body == b"page"


async def test_a_flood_of_hints_is_bounded() -> None:
    async def flood(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(HINT * 50 + response(b"page"))

    async with edge_and_origin(flood) as (edge, _):
        client = await edge.client()
        statuses = [(await client.ask("/page")).status]
        while statuses[-1] == 103:
            statuses.append((await client.read()).status)
        assert statuses == [103] * 8 + [200]
