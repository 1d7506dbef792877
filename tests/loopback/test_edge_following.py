"""Plain misses follow a fill without a task; what they get is what the app would have said."""

import asyncio
import re

import pytest

from tests.support.edges import Asked, Edge, edge_and_origin, response, until
from tests.support.rules import rules

FRESH = "Cache-Control: max-age=600"
SLOWLY = "Proxy-Connection: keep-alive"  # means nothing, yet sends a request to the app
BODIES = {
    "/small": response(b"small", FRESH, "Surrogate-Key: a b", 'ETag: "1"', "X-More: yes"),
    "/large": response(b"l" * 3_000_000, FRESH),
    "/empty": response(b"", FRESH),
    "/chunked": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nCache-Control: max-age=60\r\n\r\n"
        b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    ),
    "/none": b"HTTP/1.1 204 No Content\r\nCache-Control: max-age=60\r\n\r\n",
    "/missing": response(b"not here", FRESH, status=404),
    "/private": response(b"own", "Cache-Control: private"),
    "/failing": response(b"oops", status=503),
    "/varies": response(b"v", FRESH, "Vary: Accept-Language"),
}


async def ask(edge: Edge, target: str, *, slowly: bool) -> tuple[object, ...]:
    got = await edge.get(target, *([SLOWLY] if slowly else []))
    fields = [
        (name, re.sub(rb"ttl=\d+", b"ttl=N", value))
        for name, value in got.fields
        if name not in ("date", "age")
    ]
    return got.status, got.version, sorted(fields), got.body, got.whole


@pytest.mark.parametrize("target", BODIES)
async def test_a_follower_and_the_app_say_the_same(target: str) -> None:
    opened = asyncio.Event()

    async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await opened.wait()
        writer.write(BODIES[asked.target.partition(b"?")[0].decode()])

    async with edge_and_origin(script) as (edge, _):
        leaders = [
            asyncio.create_task(ask(edge, f"{target}?{n}", slowly=slowly))
            for n, slowly in enumerate((False, True))
        ]
        await until(lambda: edge.worker.fills.waiting == 2)
        joined = [
            asyncio.create_task(ask(edge, f"{target}?{n}", slowly=slowly))
            for n in range(2)
            for slowly in (False, True)
        ]
        await until(lambda: edge.worker.fills.waiting == 6)
        opened.set()
        assert await leaders[0] == await leaders[1]
        first, *others = await asyncio.gather(*joined)
        assert others == [first] * 3
        assert edge.worker.fills.waiting == 0
        assert len(edge.worker.fills) == 0


async def test_a_player_that_leaves_frees_its_place() -> None:
    opened = asyncio.Event()

    async def script(_: Asked, writer: asyncio.StreamWriter) -> None:
        await opened.wait()
        writer.write(response(b"own", "Cache-Control: private"))

    async with edge_and_origin(script) as (edge, origin):
        leader, waiter = await edge.client(), await edge.client()
        for client in (leader, waiter):
            client.send(b"GET /p HTTP/1.1\r\nHost: edge.test\r\n\r\n")
        await until(lambda: edge.worker.fills.waiting == 2)
        await leader.close()
        await until(lambda: edge.worker.fills.waiting == 1)
        opened.set()
        got = await waiter.read()
        assert (got.body, got.says) == (
            b"own",
            "amaro-edge; fwd=uri-miss; fwd-status=200; detail=private",
        )
        assert len(origin.asked) == 2


async def test_pipelined_misses_come_in_order() -> None:
    async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(response(asked.target * 40_000, FRESH))

    async with edge_and_origin(script) as (edge, _):
        client = await edge.client()
        targets = [f"/{n}" for n in range(20)] * 2
        client.send(b"".join(f"GET {t} HTTP/1.1\r\nHost: e\r\n\r\n".encode() for t in targets))
        for target in targets:
            got = await client.read()
            assert (got.status, len(got.body)) == (200, len(target) * 40_000), target


async def test_pipelined_misses_with_known_field_lines_are_requests_of_their_own() -> None:
    """They end in lines that the connection knows, as one request would."""

    async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(response(asked.target, FRESH))

    async with edge_and_origin(script) as (edge, origin):
        client = await edge.client()
        for targets in (["/known"], ["/a", "/b"], ["/c", "/known", "/d"]):
            client.send(b"".join(f"GET {t} HTTP/1.1\r\nHost: e\r\n\r\n".encode() for t in targets))
            for target in targets:
                got = await client.read()
                assert (got.status, got.body) == (200, target.encode())
        assert [asked.target for asked in origin.asked] == [b"/known", b"/a", b"/b", b"/c", b"/d"]
        client.send(b"GET /known HTTP/1.1\r\nHost: e\r\n\r\nGET /e f HTTP/1.1\r\nHost: e\r\n\r\n")
        assert (await client.read()).body == b"/known"
        assert (await client.read()).status == 400
        assert len(origin.asked) == 5


@pytest.mark.parametrize("proxies", [(), ("cloudflare=127.0.0.0/8",)])
async def test_pipelined_hits_are_answered_each_where_rules_cut_queries(
    proxies: tuple[str, ...],
) -> None:
    """What follows the first question mark of two requests at once is not one query."""

    async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(response(asked.target, FRESH))

    cut = rules("rules: [{name: all, set: {query: none}}]")
    async with edge_and_origin(script, policies=cut, trusted_proxies=proxies) as (edge, origin):
        client = await edge.client()
        for targets in (["/a?x"], ["/b?x"], ["/b?y"], ["/a?z", "/b?z", "/a"]):
            client.send(b"".join(f"GET {t} HTTP/1.1\r\nHost: e\r\n\r\n".encode() for t in targets))
            for target in targets:
                assert (await client.read()).body == target[:2].encode()
        assert len(origin.asked) == 2


async def test_the_last_answer_of_a_drain_says_so() -> None:
    opened = asyncio.Event()

    async def script(_: Asked, writer: asyncio.StreamWriter) -> None:
        await opened.wait()
        writer.write(response(b"late", FRESH))

    async with edge_and_origin(script) as (edge, _):
        client = await edge.client()
        client.send(b"GET /late HTTP/1.1\r\nHost: edge.test\r\n\r\n")
        await until(lambda: edge.worker.fills.waiting == 1)
        edge.worker.drain()
        opened.set()
        got = await client.read()
        assert (got.body, got.get("connection")) == (b"late", b"close")
        assert await client.is_closed()


class Halves:
    """A response in two halves that ends long after its last byte."""

    status, length = 200, 4
    fields = ((b"content-length", b"4"), (b"cache-control", b"max-age=600"))

    def __init__(self) -> None:
        self.second, self.end = asyncio.Event(), asyncio.Event()
        self._left = [(b"ab", None), (b"cd", self.second), (b"", self.end)]

    async def fetch(self, _upstream: object, _fetch: object) -> "Halves":
        return self

    async def read(self) -> bytes:
        piece, awaited = self._left.pop(0)
        if awaited is not None:
            await awaited.wait()
        return piece

    def close(self) -> None:
        pass


async def test_only_who_leaves_before_the_last_byte_was_cut() -> None:
    async def script(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with edge_and_origin(script) as (edge, _):
        halves = edge.worker.app._exchange.filler.asker.client = Halves()
        players = [await edge.client(), await edge.client()]
        for player in players:
            player.send(b"GET /x HTTP/1.1\r\nHost: edge.test\r\n\r\n")
            await player.reader.readuntil(b"\r\n\r\nab")
        first, second = players

        (fill,) = edge.worker.fills
        await first.close()
        await until(lambda: len(fill.readers) == 1)
        assert edge.worker.counters.snapshot()["cut player"] == 1
        halves.second.set()
        await second.reader.readexactly(2)
        await second.close()
        await until(lambda: not fill.readers)
        assert edge.worker.counters.snapshot()["cut player"] == 1
        halves.end.set()
        await until(lambda: len(edge.worker.fills) == 0)
