"""Fills: shared, released, cut off, retried, outlived by purges."""

import asyncio
from collections.abc import Callable

import pytest
import uvloop

from edge.purges import PurgeKind
from edge.settings import MIB
from tests.support.edges import (
    Asked,
    Edge,
    Got,
    edge_and_origin,
    response,
    running_edge,
    until,
)

FRESH = "Cache-Control: max-age=600"


class Gate:
    """An origin that answers when it is told to."""

    def __init__(self, answer: Callable[[Asked], bytes]) -> None:
        self.answer = answer
        self.open = asyncio.Event()

    async def __call__(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        await self.open.wait()
        writer.write(self.answer(asked))


async def all_waiting(edge: Edge, count: int) -> None:
    await until(lambda: edge.worker.fills.waiting == count)


def storm(edge: Edge, count: int, target: str, *lines: str) -> list[asyncio.Task[Got]]:
    return [asyncio.create_task(edge.get(target, *lines)) for _ in range(count)]


async def test_one_origin_request_for_many_clients() -> None:
    body = b"shared" * 50_000
    gate = Gate(lambda _: response(body, FRESH))
    async with edge_and_origin(gate) as (edge, origin):
        tasks = storm(edge, 50, "/cold")
        await all_waiting(edge, 50)
        gate.open.set()
        answers = await asyncio.gather(*tasks)
        assert len(origin.asked) == 1
        assert {got.body for got in answers} == {body}
        assert sum("collapsed" in got.says for got in answers) == 49


async def test_waiters_read_as_the_body_grows() -> None:
    more = asyncio.Event()

    async def script(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(response(b"first", FRESH, length=10))
        await writer.drain()
        await more.wait()
        writer.write(b" last")

    async with edge_and_origin(script) as (edge, origin):
        clients = [await edge.client() for _ in range(3)]
        for client in clients:
            client.send(b"GET /cold HTTP/1.1\r\nHost: edge.test\r\n\r\n")
            assert b"\r\n\r\n" in await client.reader.readuntil(b"\r\n\r\n")
            assert await client.reader.readexactly(5) == b"first"
        part = await edge.client()
        part.send(b"GET /cold HTTP/1.1\r\nHost: edge.test\r\nRange: bytes=1-3\r\n\r\n")
        assert (await part.read()).body == b"irs"
        more.set()
        for client in clients:
            assert await client.reader.readexactly(5) == b" last"
        assert len(origin.asked) == 1


async def test_waiters_are_released_when_the_head_forbids_to_share() -> None:
    gate = Gate(lambda asked: response(asked.get("cookie") or b"", "Cache-Control: private"))
    async with edge_and_origin(gate) as (edge, origin):
        tasks = [asyncio.create_task(edge.get("/own", f"Cookie: c{n}")) for n in range(8)]
        await all_waiting(edge, 8)
        await until(lambda: len(origin.asked) == 1)
        gate.open.set()
        answers = await asyncio.gather(*tasks)
        assert {got.body for got in answers} == {b"c%d" % n for n in range(8)}
        assert len(origin.asked) == 8
        gate.open.clear()  # from now on the key is known: nobody waits for anybody
        tasks = storm(edge, 3, "/own")
        await until(lambda: len(origin.asked) == 11)
        gate.open.set()
        await asyncio.gather(*tasks)


async def test_variants_are_fetched_apart_and_shared_within() -> None:
    def answer(asked: Asked) -> bytes:
        return response(asked.get("accept-language") or b"", FRESH, "Vary: Accept-Language")

    gate = Gate(answer)
    async with edge_and_origin(gate) as (edge, origin):
        tasks = [*storm(edge, 4, "/v", "Accept-Language: tr")]
        await until(lambda: len(origin.asked) == 1)
        tasks += storm(edge, 4, "/v", "Accept-Language: de")
        await all_waiting(edge, 8)
        gate.open.set()
        answers = await asyncio.gather(*tasks)
        assert [got.body for got in answers] == [b"tr"] * 4 + [b"de"] * 4
        assert len(origin.asked) == 2
        assert "hit" in (await edge.get("/v", "Accept-Language: tr")).says
        assert "hit" in (await edge.get("/v", "Accept-Language: de")).says


async def test_authorization_never_waits_for_another() -> None:
    gate = Gate(lambda asked: response(asked.get("authorization") or b"none", FRESH))
    async with edge_and_origin(gate) as (edge, origin):
        tasks = [
            *storm(edge, 1, "/a"),
            *storm(edge, 1, "/a", "Authorization: one"),
            *storm(edge, 1, "/a", "Authorization: two"),
        ]
        await until(lambda: len(origin.asked) == 3)
        gate.open.set()
        answers = await asyncio.gather(*tasks)
        assert [got.body for got in answers] == [b"none", b"one", b"two"]
        assert (await edge.get("/a")).body == b"none"


async def test_a_failed_fill_answers_its_waiters_once() -> None:
    broken = asyncio.Event()

    async def script(_: Asked, writer: asyncio.StreamWriter) -> None:
        await broken.wait()
        writer.close()

    async with edge_and_origin(script) as (edge, origin):
        tasks = storm(edge, 10, "/cold")
        await all_waiting(edge, 10)
        broken.set()
        answers = await asyncio.gather(*tasks)
        assert {got.status for got in answers} == {502}
        assert answers[0].says == "amaro-edge; fwd=uri-miss; detail=connection-lost"
        assert answers[0].body == b"502 Bad Gateway: connection-lost\n"
        assert len(origin.asked) == 2  # once more, on a new connection


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_a_response_cut_at_any_byte_is_no_success(framing: str) -> None:
    """An origin that breaks off after each byte: nothing is stored, nobody takes it for whole."""
    if framing == "length":
        whole = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=900\r\nContent-Length: 5\r\n\r\nhello"
    else:
        whole = (
            b"HTTP/1.1 200 OK\r\nCache-Control: max-age=900\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
        )
    cut = 0

    async def script(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(whole[:cut])
        await writer.drain()
        writer.close()

    async with edge_and_origin(script) as (edge, _):
        for cut in range(len(whole)):
            got = await edge.get(f"/{cut}")
            assert got.status == 502 or not got.whole, (cut, got)
            again = await edge.get(f"/{cut}")
            assert "hit" not in again.says
        assert len(edge.worker.memory) == 0
        cut = len(whole)
        assert (await edge.get("/whole")).body == b"hello"
        assert "hit" in (await edge.get("/whole")).says


async def test_a_body_that_ends_with_the_connection() -> None:
    async def script(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\nCache-Control: max-age=900\r\nConnection: close\r\n\r\nend"
        )
        await writer.drain()
        writer.close()

    async with edge_and_origin(script) as (edge, _):
        assert (await edge.get("/")).body == b"end"
        hit = await edge.get("/")
        assert (hit.body, hit.get("content-length")) == (b"end", b"3")
        assert "hit" in hit.says


async def test_a_pooled_connection_that_died_is_tried_anew() -> None:
    async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(response(b"ok", "Cache-Control: no-store"))
        if asked.target == b"/last":
            await writer.drain()
            writer.transport.abort()

    async with edge_and_origin(script) as (edge, origin):
        for _ in range(5):
            assert (await edge.get("/last")).body == b"ok"
            assert (await edge.get("/next")).status == 200
        assert origin.connections <= 6


async def test_no_origin() -> None:
    async with running_edge("http://127.0.0.1:1") as edge:
        got = await edge.get("/")
        assert (got.status, got.says) == (502, "amaro-edge; fwd=uri-miss; detail=connect-refused")


async def test_time_outs_of_the_origin() -> None:
    async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        if asked.target == b"/body":
            writer.write(response(b"some", FRESH, length=10))
            await writer.drain()
        await asyncio.sleep(20)

    async with edge_and_origin(script, first_byte_s=0.2, idle_s=0.2) as (edge, _):
        silent = await edge.get("/silent")
        assert (silent.status, silent.says.split("detail=")[1]) == (504, "first-byte-timeout")
        assert not (await edge.get_in_time("/body")).whole


async def test_stale_while_revalidate_asks_once_in_the_background() -> None:
    count = 0

    async def script(_: Asked, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        writer.write(
            response(b"v%d" % count, "Cache-Control: max-age=10, stale-while-revalidate=60")
        )

    async with edge_and_origin(script) as (edge, origin):
        await edge.get("/feed")
        edge.purge(PurgeKind.URL, b"/feed", soft=True)
        answers = await asyncio.gather(*storm(edge, 10, "/feed"))
        assert {got.body for got in answers} <= {b"v1", b"v2"}
        assert all("hit" in got.says for got in answers)
        assert any("detail=stale-while-revalidate" in got.says for got in answers)
        await until(lambda: len(edge.worker.tasks) == 0)
        assert (await edge.get("/feed")).body == b"v2"
        assert len(origin.asked) == 2


@pytest.mark.parametrize("failure", ["503", "gone", "silent"])
async def test_stale_if_error(failure: str) -> None:
    failed = False

    async def script(_: Asked, writer: asyncio.StreamWriter) -> None:
        if not failed:
            writer.write(response(b"good", "Cache-Control: max-age=10, stale-if-error=60"))
        elif failure == "503":
            writer.write(response(b"sorry", status="503 Service Unavailable"))
        elif failure == "gone":
            writer.close()
        else:
            await asyncio.sleep(20)

    async with edge_and_origin(script, first_byte_s=1.5) as (edge, _):
        await edge.get_in_time("/feed")
        failed = True
        edge.purge(PurgeKind.URL, b"/feed", soft=True)
        answers = await asyncio.gather(*storm(edge, 5, "/feed"))
        assert {got.body for got in answers} == {b"good"}
        assert all("detail=stale-if-error" in got.says for got in answers)


async def validated(players: int, *lines: str) -> list[bytes | None]:
    """Let many ask for what is stale, and a 304 with these fields come; what the origin is asked.

    That is the validator of each request, from the second on.
    """
    gate = Gate(
        lambda asked: (
            response(b"", *lines, 'ETag: "1"', status="304 Not Modified")
            if asked.get("if-none-match")
            else response(b"body", FRESH, 'ETag: "1"')
        )
    )
    gate.open.set()
    async with edge_and_origin(gate) as (edge, origin):
        await edge.get("/x")
        edge.purge(PurgeKind.URL, b"/x", soft=True)
        gate.open.clear()
        tasks = storm(edge, players, "/x")
        await all_waiting(edge, players)
        gate.open.set()
        answers = await asyncio.gather(*tasks)
        assert {got.body for got in answers} == {b"body"}
        return [asked.get("if-none-match") for asked in origin.asked[1:]]


async def test_an_expired_entry_is_validated_by_one_request() -> None:
    assert await validated(10, FRESH) == [b'"1"']


async def test_what_is_stale_when_validated_is_validated_for_each() -> None:
    """RFC 9111 §4: only a fresh response may answer those who merely waited."""
    assert await validated(5, "Cache-Control: max-age=0") == [b'"1"'] * 5


async def test_a_purge_while_a_fill_runs() -> None:
    """Who asked before may get the old content; nothing of it is stored or joined afterwards."""
    version = 1
    gate = Gate(lambda _: response(b"v%d" % version, FRESH, "Surrogate-Key: t"))

    async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        data = gate.answer(asked)  # what the origin has now, sent later
        await gate.open.wait()
        writer.write(data)

    purges = [(PurgeKind.URL, b"/x"), (PurgeKind.TAG, b"t"), (PurgeKind.ALL, b"")]
    for kind, value in purges:
        version = 1
        gate.open.clear()
        async with edge_and_origin(script) as (edge, origin):
            before = storm(edge, 2, "/x")
            await until(lambda: len(origin.asked) == 1)
            version = 2
            edge.purge(kind, value)
            after = storm(edge, 2, "/x")
            # a tag shows with the head only: till then they wait with those who asked before
            await until(lambda: edge.worker.fills.waiting == 4)
            gate.open.set()
            assert {got.body for got in await asyncio.gather(*before)} == {b"v1"}
            assert {got.body for got in await asyncio.gather(*after)} == {b"v2"}
            assert (await edge.get("/x")).body == b"v2"


async def test_a_fill_outlives_its_first_client() -> None:
    gate = Gate(lambda _: response(b"kept", FRESH))
    async with edge_and_origin(gate) as (edge, origin):
        client = await edge.client()
        client.send(b"GET /x HTTP/1.1\r\nHost: edge.test\r\n\r\n")
        await until(lambda: len(origin.asked) == 1)
        await client.close()
        await until(lambda: len(edge.server.server_state.connections) == 0)
        gate.open.set()
        await until(lambda: len(edge.worker.memory) == 1)
        assert "hit" in (await edge.get("/x")).says


async def test_an_uncacheable_fetch_ends_with_its_client() -> None:
    ended = asyncio.Event()

    async def script(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(response(b"", "Cache-Control: no-store", length=1 << 30))
        try:
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
        except ConnectionError:
            ended.set()

    async with edge_and_origin(script) as (edge, _):
        client = await edge.client()
        client.send(b"GET /x HTTP/1.1\r\nHost: edge.test\r\n\r\n")
        await client.reader.readexactly(100_000)
        await client.close()
        async with asyncio.timeout(180):
            await ended.wait()


async def test_objects_too_large_to_keep_pass_through() -> None:
    body = bytes(range(256)) * 20_480  # 5 MiB, in front of 2 MiB of memory

    async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        if asked.target == b"/chunked":
            writer.write(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=900\r\n")
            writer.write(b"Transfer-Encoding: chunked\r\n\r\n")
            for at in range(0, len(body), 65536):
                piece = body[at : at + 65536]
                writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                await writer.drain()
            writer.write(b"0\r\n\r\n")
        elif asked.get("range"):
            writer.write(response(b"part", "Content-Range: bytes 0-3/9", status="206 Part"))
        else:
            writer.write(response(body, FRESH))

    async with edge_and_origin(script, memory_bytes=2 * MIB) as (edge, _):
        assert (await edge.get("/length")).body == body
        assert (await edge.get("/chunked")).body == body
        assert len(edge.worker.memory) == 0
        part = await edge.get("/length", "Range: bytes=0-3")
        assert (part.status, part.body) == (206, b"part")
        await until(lambda: edge.worker.snapshot()["used_bytes"] == 0)


async def test_unsafe_methods_invalidate() -> None:
    async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(response(asked.method.encode(), FRESH))

    async with edge_and_origin(script) as (edge, _):
        await edge.get("/x")
        assert "hit" in (await edge.get("/x")).says
        posted = await edge.get("/x", "Content-Length: 0", method="POST")
        assert (posted.body, posted.says) == (
            b"POST",
            "amaro-edge; fwd=method; fwd-status=200; detail=method",
        )
        assert "fwd=uri-miss" in (await edge.get("/x")).says


async def test_a_flood_of_unsafe_requests_outdates_no_running_fill() -> None:
    gate = Gate(lambda _asked: response(b"film", FRESH))
    async with edge_and_origin(gate) as (edge, origin):
        waiting = storm(edge, 1, "/film")
        await all_waiting(edge, 1)
        for number in range(1_500):
            edge.purge(PurgeKind.URL, b"http://edge.test/posted/%d" % number)
        key = b"http://edge.test/film"
        shares = edge.worker.memory.purged_since(0, key, ())  # a slot with one of them
        gate.open.set()
        assert [got.body for got in await asyncio.gather(*waiting)] == [b"film"]
        await until(lambda: not edge.worker.tasks)
        assert ("hit" in (await edge.get("/film")).says) is not shares
        assert (len(origin.asked) == 1) is not shares


async def test_what_the_origin_sees_of_a_request() -> None:
    async def script(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(response(b"", "Cache-Control: no-store"))

    async with edge_and_origin(script) as (edge, origin):
        target = "/a%2Fb;c=1?q=%C3%A9&&x=y?z//../."
        await edge.get(
            target,
            "X-Forwarded-For: 6.6.6.6",
            "X-Original-URL: /admin",
            "Connection: keep-alive, X-Own",
            "X-Own: 1",
            "TE: trailers",
            "X-Kept: yes",
        )
        asked = origin.asked[0]
        assert asked.target == target.encode()
        assert asked.get("host") == b"edge.test"
        assert asked.get("x-forwarded-for") == b"127.0.0.1"
        assert asked.get("via") == b"1.1 amaro-edge"
        assert asked.get("x-kept") == b"yes"
        for name in ("x-original-url", "x-own", "te", "connection"):
            assert asked.get(name) is None


async def test_only_if_cached() -> None:
    gate = Gate(lambda _: response(b"x", FRESH))
    gate.open.set()
    async with edge_and_origin(gate) as (edge, origin):
        line = "Cache-Control: only-if-cached"
        assert (await edge.get("/x", line)).status == 504
        assert origin.asked == []
        await edge.get("/x")
        assert (await edge.get("/x", line)).status == 200


async def test_a_request_may_ask_past_the_cache() -> None:
    gate = Gate(lambda _: response(b"x", FRESH))
    gate.open.set()
    async with edge_and_origin(gate) as (edge, origin):
        await edge.get("/x")
        assert "fwd=request" in (await edge.get("/x", "Cache-Control: no-cache")).says
        assert len(origin.asked) == 2


async def test_limits_of_fills_and_waiters() -> None:
    gate = Gate(lambda _: response(b"x", FRESH))
    async with edge_and_origin(gate, fills_max=2, waiters_max=3) as (edge, origin):
        tasks = [*storm(edge, 1, "/1"), *storm(edge, 1, "/2")]
        await until(lambda: len(origin.asked) == 2)
        refused = await edge.get("/3")
        assert (refused.status, refused.says) == (
            503,
            "amaro-edge; fwd=uri-miss; detail=fills-max",
        )
        tasks += storm(edge, 1, "/1")
        await until(lambda: edge.worker.fills.waiting == 3)
        assert (await edge.get("/1")).says.endswith("detail=waiters-max")
        gate.open.set()
        assert {got.status for got in await asyncio.gather(*tasks)} == {200}


def test_readers_that_hold_memory_and_do_not_read_are_cut() -> None:
    """On the loop that workers run on: others copy what they are given to write."""
    uvloop.run(stalled_hits())


async def stalled_hits() -> None:
    body = bytes(range(256)) * 4096 * 4  # 4 MiB

    async def script(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(response(body, FRESH))

    memory_bytes = 16 * MIB
    async with edge_and_origin(script, memory_bytes=memory_bytes) as (edge, _):
        for number in range(12):  # 48 MiB, were all of it kept
            await edge.get(f"/{number}")
            client = await edge.client()
            client.reader._transport.pause_reading()  # type: ignore[attr-defined]
            client.send(b"GET /%d HTTP/1.1\r\nHost: edge.test\r\n\r\n" % number)
            await until(lambda: edge.results().total() > number)  # noqa: B023
            assert edge.worker.memory.used_bytes <= memory_bytes + len(body)
        fresh = 100

        async def cut() -> None:
            nonlocal fresh
            while edge.worker.counters.readers_cut == 0:
                fresh += 1
                assert (await edge.get(f"/{fresh}")).body == body
                assert edge.worker.memory.used_bytes <= memory_bytes + len(body)

        async with asyncio.timeout(180):
            await cut()
