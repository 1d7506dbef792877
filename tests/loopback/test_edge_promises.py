"""What uvicorn promises of a connection holds on the hit path and on the slow path alike."""

import asyncio

import pytest

from tests.support.edges import PATIENCE_S, Asked, Edge, edge_and_origin, response, until

FRESH = "Cache-Control: max-age=600"
PATHS = pytest.mark.parametrize("path", ["/hit", "/slow"])


async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
    """`/hit` may be stored, `/late` comes after a moment, all else is not stored."""
    match asked.target:
        case b"/hit":
            writer.write(response(b"from memory", FRESH))
        case b"/big":
            writer.write(response(b"B" * 300_000, FRESH))
        case b"/late":
            await asyncio.sleep(0.2)
            writer.write(response(b"late", "Cache-Control: no-store"))
        case b"/echo":
            writer.write(response(asked.body, "Cache-Control: no-store"))
        case b"/dribble":
            writer.write(b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n")
            writer.write(b"until the end")
            await writer.drain()
            writer.close()
        case _:
            writer.write(response(b"slow way", "Cache-Control: no-store"))


def head(target: str, *lines: str, version: str = "1.1", method: str = "GET") -> bytes:
    fields = "".join(f"{line}\r\n" for line in ("Host: edge.test", *lines))
    return f"{method} {target} HTTP/{version}\r\n{fields}\r\n".encode()


async def warm(edge: Edge, *targets: str) -> None:
    for target in targets:
        await edge.get(target)
        assert "hit" in (await edge.get(target)).says


async def test_drain_finishes_what_runs_and_closes_what_is_idle() -> None:
    go = asyncio.Event()

    async def held(asked: Asked, writer: asyncio.StreamWriter) -> None:
        if asked.target == b"/late":
            await go.wait()
        await script(asked, writer)

    async with edge_and_origin(held, drain_s=PATIENCE_S) as (edge, _):
        await warm(edge, "/hit")
        idle, busy = await edge.client(), await edge.client()
        await idle.get("/hit")
        busy.send(head("/late"))
        await until(lambda: edge.worker.fills.waiting == 1)
        edge.server.should_exit = True
        assert await idle.is_closed()
        go.set()
        late = await busy.read()
        assert (late.body, late.get("connection")) == (b"late", b"close")
        assert await busy.is_closed()


async def test_drain_answers_those_who_have_only_just_come() -> None:
    """A connection without a request yet is no idle one: its first request is on its way."""
    async with edge_and_origin(script, drain_s=PATIENCE_S) as (edge, _):
        await warm(edge, "/hit")
        late, never = await edge.client(), await edge.client()
        connections = edge.server.server_state.connections
        await until(lambda: len(connections) == 2)
        edge.server.should_exit = True
        while not all(each._ending for each in connections):  # noqa: ASYNC110 they wait a moment
            await asyncio.sleep(0)
        got = await late.get("/hit")
        assert (got.body, got.get("connection")) == (b"from memory", b"close")
        assert await late.is_closed()
        assert await never.is_closed()


@PATHS
async def test_answers_while_draining_are_the_last_ones(path: str) -> None:
    async with edge_and_origin(script) as (edge, _):
        await warm(edge, "/hit")
        known, new = await edge.client(), await edge.client()
        assert (await known.get(path)).get("connection") is None
        edge.worker.drain()
        for client in (known, new):
            got = await client.get(path)
            assert (got.status, got.get("connection")) == (200, b"close")
            assert await client.is_closed()
        assert (await edge.get("/.amaro/ready")).status == 503


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with edge_and_origin(script) as (edge, _):
        await warm(edge, "/hit")
        client = await edge.client()
        wanted = ["/hit", "/late", "/hit", "/hit", "/slow", "/late", "/hit"]
        client.send(b"".join(map(head, wanted)))
        bodies = {"/hit": b"from memory", "/late": b"late", "/slow": b"slow way"}
        for target in wanted:
            assert (await client.read()).body == bodies[target]


async def test_pipelined_requests_in_any_chunking() -> None:
    async with edge_and_origin(script) as (edge, _):
        await warm(edge, "/hit")
        post = b"POST /echo HTTP/1.1\r\nHost: edge.test\r\nContent-Length: 7\r\n\r\n1\r\n\r\n67"
        chunked = (
            b"POST /echo HTTP/1.1\r\nHost: edge.test\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"4\r\n\r\n\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        )
        data = head("/hit") + post + head("/hit") + chunked + head("/hit")
        for step in (1, 2, 3, 5, 7, 11, 64):
            client = await edge.client()
            for at in range(0, len(data), step):
                client.send(data[at : at + step])
                await asyncio.sleep(0)
            bodies = [(await client.read()).body for _ in range(5)]
            assert bodies == [
                b"from memory",
                b"1\r\n\r\n67",
                b"from memory",
                b"\r\n\r\nabc",
                b"from memory",
            ]
            await client.close()


async def test_a_client_that_never_reads_costs_little() -> None:
    """Thousands of pipelined hits: reading pauses, and what waits is bounded."""
    async with edge_and_origin(script) as (edge, _):
        await warm(edge, "/big")
        client = await edge.client()
        client.writer.transport.set_write_buffer_limits(high=1 << 26)
        client.reader._transport.pause_reading()  # type: ignore[attr-defined]
        count = 5000
        client.send(head("/big") * count)
        hits = edge.worker.counters.hits
        await until(lambda: edge.worker.counters.hits > hits)
        (protocol,) = edge.server.server_state.connections
        seen = -1
        while seen != edge.worker.counters.hits:  # until it has stopped answering
            seen = edge.worker.counters.hits
            await asyncio.sleep(0.3)
        assert seen - hits < count / 4
        assert protocol.transport.get_write_buffer_size() < 1 << 20
        assert len(protocol._unread) < 1 << 20
        client.reader._transport.resume_reading()  # type: ignore[attr-defined]
        for _ in range(50):  # and it goes on where it was
            assert len((await client.read()).body) == 300_000


@PATHS
async def test_http_10(path: str) -> None:
    async with edge_and_origin(script) as (edge, _):
        await warm(edge, "/hit")
        client = await edge.client()
        client.send(head(path, version="1.0"))
        got = await client.read()
        assert (got.status, got.get("connection")) == (200, b"close")
        assert await client.is_closed()


@PATHS
async def test_http_10_with_keep_alive(path: str) -> None:
    async with edge_and_origin(script) as (edge, _):
        await warm(edge, "/hit")
        client = await edge.client()
        for _ in range(3):
            client.send(head(path, "Connection: keep-alive", version="1.0"))
            got = await client.read()
            assert (got.status, got.get("connection")) == (200, b"keep-alive")


async def test_http_10_never_sees_chunks() -> None:
    async with edge_and_origin(script) as (edge, _):
        client = await edge.client()
        client.send(head("/dribble", "Connection: keep-alive", version="1.0"))
        got = await client.read()
        assert got.get("transfer-encoding") is None
        assert (got.body, got.get("connection")) == (b"until the end", b"close")


async def test_http_10_without_host() -> None:
    async with edge_and_origin(script) as (edge, origin):
        client = await edge.client()
        client.send(b"GET /slow HTTP/1.0\r\n\r\n")
        assert (await client.read()).body == b"slow way"
        assert origin.asked[0].get("host") == f"127.0.0.1:{edge.port}".encode()


async def test_expect_100_continue() -> None:
    async with edge_and_origin(script) as (edge, _):
        client = await edge.client()
        client.send(head("/echo", "Content-Length: 4", "Expect: 100-continue", method="POST"))
        assert (await client.read()).status == 100
        client.send(b"body")
        assert (await client.read()).body == b"body"


@PATHS
async def test_a_get_with_a_body_is_answered_and_the_body_goes_nowhere(path: str) -> None:
    async with edge_and_origin(script) as (edge, origin):
        await warm(edge, "/hit")
        client = await edge.client()
        for _ in range(2):
            client.send(head(path, "Content-Length: 5") + b"GET /")
            assert (await client.read()).status == 200
        assert all(asked.body == b"" for asked in origin.asked)


@PATHS
async def test_head(path: str) -> None:
    async with edge_and_origin(script) as (edge, _):
        await warm(edge, "/hit")
        client = await edge.client()
        length = str(len(b"from memory" if path == "/hit" else b"slow way")).encode()
        for _ in range(2):
            got = await client.get(path, method="HEAD")
            assert (got.status, got.get("content-length")) == (200, length)
        assert (await client.get(path)).status == 200


async def test_a_large_body_streams_both_ways() -> None:
    async with edge_and_origin(script) as (edge, origin):
        client = await edge.client()
        body = bytes(range(256)) * 8192  # 2 MiB
        client.send(head("/echo", f"Content-Length: {len(body)}", method="POST") + body)
        assert (await client.read()).body == body
        assert origin.asked[0].body == body
        assert (await client.get("/slow")).status == 200


async def test_a_body_over_the_limit() -> None:
    async with edge_and_origin(script, body_max_bytes=1000) as (edge, origin):
        client = await edge.client()
        client.send(head("/echo", "Content-Length: 1001", method="POST"))
        assert (await client.read()).status == 413
        assert origin.asked == []


async def test_an_early_answer_is_not_lost_to_a_reset() -> None:
    """The edge reads on for a while, so that its answer arrives at who is still sending."""
    async with edge_and_origin(script, body_max_bytes=1000) as (edge, _):
        for lines in ("Content-Length: 2000000", "Transfer-Encoding: gzip"):
            client = await edge.client()
            client.send(head("/echo", lines, method="POST"))
            for _ in range(20):
                client.send(b"b" * 100_000)
                await client.writer.drain()  # a reset raises here, or makes the answer unreadable
                await asyncio.sleep(0)
            got = await client.read()
            assert got.status == (413 if "Length" in lines else 400)
            assert got.get("connection") == b"close"
            assert await client.is_closed()


async def test_what_comes_after_an_early_answer_is_bounded() -> None:
    async with edge_and_origin(script, body_max_bytes=1000) as (edge, _):
        client = await edge.client()
        client.send(head("/echo", "Content-Length: 99999999999", method="POST"))

        async def send_on() -> None:
            while True:
                client.send(b"b" * 100_000)
                await client.writer.drain()

        with pytest.raises(ConnectionError):
            await asyncio.wait_for(send_on(), PATIENCE_S)


async def test_a_head_that_does_not_end_in_time() -> None:
    async with edge_and_origin(script, head_read_s=0.2) as (edge, _):
        client = await edge.client()
        client.send(b"GET / HTTP/1.1\r\nHos")
        assert (await client.read()).status == 408


async def test_too_many_connections() -> None:
    async with edge_and_origin(script, connections_max=2) as (edge, _):
        first, second = await edge.client(), await edge.client()
        assert (await first.get("/slow")).status == (await second.get("/slow")).status == 200
        third = await edge.client()
        assert (await third.read()).status == 503


async def test_an_upgrade_is_passed_over() -> None:
    async with edge_and_origin(script) as (edge, origin):
        await warm(edge, "/hit")
        got = await edge.get("/hit", "Connection: Upgrade", "Upgrade: h2c")
        assert (got.status, got.get("connection")) == (200, b"close")
        assert len(origin.asked) == 1
