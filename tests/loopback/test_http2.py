"""HTTP/2: the same answers as HTTP/1.1, many at once, as fast as the player takes them."""

import asyncio
import socket
import time

from tests.support.edges import Asked, edge_and_origin, response, running_edge, until
from tests.support.http2 import Http2Client
from tests.support.tls import EDGE

FRESH = "Cache-Control: max-age=600"
BIG = bytes(range(256)) * 4096 * 4 + b"the rest"  # five slices


async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
    match asked.target.partition(b"?")[0]:
        case b"/big":
            writer.write(response(BIG, FRESH, 'ETag: "b"'))
        case b"/pass":
            writer.write(response(BIG, "Cache-Control: no-store"))
        case b"/echo":
            writer.write(response(asked.body, "Cache-Control: no-store"))
        case b"/dribble":
            writer.write(
                b"HTTP/1.1 200 OK\r\nCache-Control: max-age=900\r\nConnection: close\r\n\r\n"
            )
            for piece in (b"until ", b"the ", b"end"):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.01)
            writer.close()
        case b"/cut":
            writer.write(response(b"not all", FRESH, length=100))
            await writer.drain()
            writer.close()
        case b"/late":
            await asyncio.sleep(0.2)
            writer.write(response(b"late", "Cache-Control: no-store"))
        case b"/missing":
            writer.write(response(b"no", FRESH, status="404 Not Found"))
        case b"/empty":
            writer.write(response(b"", FRESH))
        case _:
            writer.write(response(b"from memory", FRESH, 'ETag: "a"', "X-Own: value"))


async def test_hits_and_misses() -> None:
    async with edge_and_origin(script, tls=[EDGE]) as (edge, origin):
        client = await Http2Client.open(edge)
        got = await client.get("/hit")
        assert ("fwd=uri-miss" in got.says, got.body) == (True, b"from memory")
        got = await client.get("/hit")
        assert ("hit" in got.says, got.status, got.body) == (True, 200, b"from memory")
        assert got.get("x-own") == b"value"
        assert got.get("content-length") == b"11"
        assert int(got.get("age") or -1) in range(30)  # a Date is of whole seconds
        assert edge.worker.counters.hits == 1
        for target, body in {"/big": BIG, "/pass": BIG, "/dribble": b"until the end"}.items():
            for _ in range(2):
                assert (await client.get(target)).body == body
        for target, status in {"/missing": 404, "/empty": 200}.items():
            for _ in range(2):
                assert (await client.get(target)).status == status
        assert origin.asked[0].get("x-forwarded-proto") == b"https"
        assert len(origin.asked) == 7
        await client.close()


async def test_parts_conditions_and_heads() -> None:
    async with edge_and_origin(script, tls=[EDGE]) as (edge, _):
        client = await Http2Client.open(edge)
        await client.get("/big")
        part = await client.get("/big", "range: bytes=1048570-2097160")
        assert (part.status, part.body) == (206, BIG[1_048_570:2_097_161])
        assert part.get("content-range") == b"bytes 1048570-2097160/%d" % len(BIG)
        small = await client.get("/big", "range: bytes=1048570-1048580")
        assert (small.status, small.body) == (206, BIG[1_048_570:1_048_581])
        same = await client.get("/big", 'if-none-match: "b"')
        assert (same.status, same.body) == (304, b"")
        beyond = await client.get("/big", "range: bytes=99999999-")
        assert beyond.status == 416
        head = await client.get("/big", method="HEAD")
        assert (head.status, head.body) == (200, b"")
        assert head.get("content-length") == b"%d" % len(BIG)
        assert edge.worker.counters.hits == 5
        await client.close()


async def test_both_versions_share_what_is_stored() -> None:
    async with edge_and_origin(script, tls=[EDGE]) as (edge, origin):
        client, http1 = await Http2Client.open(edge), await edge.client()
        assert (await client.get("/one?a=b&CMCD=bl%3D1")).status == 200
        assert "hit" in (await http1.get("/one?a=b")).says
        assert (await http1.get("/two", "Cookie: a=1; b=2", "Accept: x")).status == 200
        assert "hit" in (await client.get("/two", "accept: x", "cookie: a=1", "cookie: b=2")).says
        await http1.get("/three?CMCD=x")
        assert "hit" in (await client.get("/three", "cache-control: max-stale=1")).says
        await client.get("/pass", "cookie: a=1", "cookie: b=2")
        assert origin.asked[-1].get("cookie") == b"a=1; b=2"
        assert len(origin.asked) == 4
        await client.close()


async def test_many_streams_at_once() -> None:
    async with edge_and_origin(script, tls=[EDGE]) as (edge, origin):
        client = await Http2Client.open(edge)
        targets = ["/big", "/hit", "/pass", "/late", "/dribble"] * 3
        asked = [client.ask(target) for target in targets]
        bodies = {"/hit": b"from memory", "/late": b"late", "/dribble": b"until the end"}
        for target, stream_id in zip(targets, asked, strict=True):
            assert (await client.read(stream_id)).body == bodies.get(target, BIG), target
        assert sum(each.target == b"/big" for each in origin.asked) == 1
        await client.close()


async def test_bodies_of_requests() -> None:
    async with edge_and_origin(script, tls=[EDGE]) as (edge, origin):
        client = await Http2Client.open(edge)
        for body in (b"", b"small", BIG[:60_000]):
            got = await client.read(client.ask("/echo", method="POST", body=body))
            assert (got.status, got.body) == (200, body)
        assert [asked.body for asked in origin.asked] == [b"", b"small", BIG[:60_000]]
        got = await client.read(client.ask("/hit", body=b"means nothing"))
        assert (got.status, origin.asked[-1].body) == (200, b"")
        await client.close()


async def test_a_slow_upload_holds_up_no_other_stream() -> None:
    go, asked = asyncio.Event(), asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """An origin that takes its time to read a body."""
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        asked.set()
        await go.wait()
        writer.transport.resume_reading()  # type: ignore[attr-defined]
        await reader.readuntil(b"\r\n\r\n")
        count, end = 0, b""
        while end != b"0\r\n\r\n" and (got := await reader.read(1 << 16)):
            count += got.count(b"u")
            end = (end + got)[-5:]
        writer.write(response(b"%d" % count, "Cache-Control: no-store"))
        await writer.drain()
        writer.close()

    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    origin = await asyncio.start_server(slow, sock=listener, limit=1 << 16)
    url = f"http://127.0.0.1:{origin.sockets[0].getsockname()[1]}"
    body = b"u" * (6 << 20)  # more than sockets hold
    async with running_edge(url, tls=[EDGE]) as edge:
        client = await Http2Client.open(edge)
        stream_id = client.ask("/upload", method="POST", open_end=True)
        sending = asyncio.create_task(client.upload(stream_id, body))
        await asked.wait()
        (protocol,) = edge.server.server_state.connections
        streams = protocol._streams
        await until(lambda: client.h2.local_flow_control_window(stream_id) == 0)
        await until(lambda: len(streams.players[stream_id].cycle.body) > 40_000)
        assert streams._inflow.held_bytes < 70_000
        assert client.h2.outbound_flow_control_window > 40_000
        for _ in range(3):
            ping = client.ask("/.amaro/live")
            await until(lambda sid=ping: client.answers[sid].ended)
            assert client.answers[ping].status == 200
        go.set()
        await sending
        assert (await client.read(stream_id)).body == b"%d" % len(body)
        await client.close()
    origin.close()
    await origin.wait_closed()


async def test_a_player_that_asks_first_is_told_to_continue() -> None:
    async with edge_and_origin(script, tls=[EDGE]) as (edge, _):
        client = await Http2Client.open(edge)
        stream_id = client.ask("/echo", "expect: 100-continue", method="POST", open_end=True)
        answer = client.answers[stream_id]
        while not answer.early:
            assert await client.step()
        client.send_body(stream_id, b"as told")
        assert (await client.read(stream_id)).body == b"as told"
        assert (answer.early, answer.status) == ([(100, [])], 200)
        none = await client.get("/echo", "expect: 100-continue", method="POST")
        assert (none.early, none.status) == ([], 200)
        await client.close()


async def test_a_cut_off_origin_resets_the_stream_and_nothing_else() -> None:
    async with edge_and_origin(script, tls=[EDGE]) as (edge, _):
        client = await Http2Client.open(edge)
        late = client.ask("/late")
        cut = await client.get("/cut")
        assert (cut.ended, cut.error) == (False, 2)
        assert (await client.read(late)).body == b"late"
        await client.close()


async def test_a_player_that_takes_nothing_holds_references() -> None:
    async with edge_and_origin(script, tls=[EDGE]) as (edge, _):
        await edge.get("/big")
        client = await Http2Client.open(edge, window=0)
        asked = [client.ask("/big") for _ in range(100)]
        await until(lambda: edge.worker.counters.hits == 100)
        (protocol,) = edge.server.server_state.connections
        held = {
            id(piece.obj if isinstance(piece, memoryview) else piece)
            for stream in protocol._outlet.streams.values()
            for piece in stream.pieces
        }
        entry = edge.worker.memory.find(b"https://edge.test/big", ())
        assert entry is not None
        assert held == {id(piece) for piece in entry.slices}
        assert protocol.get_write_buffer_size() == 100 * len(BIG)
        for stream_id in asked[:3]:
            client.h2.increment_flow_control_window(1 << 24, stream_id)
        client.h2.increment_flow_control_window(1 << 26)
        client.flush()
        for stream_id in asked[:3]:
            assert (await client.read(stream_id)).body == BIG
        await client.close()


async def test_a_stream_whose_player_takes_nothing_is_cut_in_time() -> None:
    limits = {"reader_idle_s": 0.2, "keep_alive_s": 0.1}
    async with edge_and_origin(script, tls=[EDGE], **limits) as (edge, _):
        await edge.get("/big")
        client = await Http2Client.open(edge, window=0)
        cut = edge.worker.counters.readers_cut  # a machine that stands still cuts others, too
        got = await client.get("/big")
        assert (got.status, got.error) == (200, 8)
        assert edge.worker.counters.readers_cut == cut + 1
        assert await client.is_closed()


async def test_a_cancelled_stream_stops_its_fetch() -> None:
    async with edge_and_origin(script, tls=[EDGE]) as (edge, _):
        client = await Http2Client.open(edge)
        stream_id = client.ask("/late")
        await until(lambda: len(edge.server.server_state.tasks) + len(edge.worker.tasks) > 0)
        client.h2.reset_stream(stream_id, 8)
        client.flush()
        (protocol,) = edge.server.server_state.connections
        await until(lambda: not protocol._streams.players)
        assert (await client.get("/hit")).status == 200
        await client.close()


async def test_a_quiet_connection_is_closed() -> None:
    async with edge_and_origin(script, tls=[EDGE], keep_alive_s=1.0) as (edge, _):
        status = 0
        while status != 200:  # a machine that stands still takes longer than that to ask
            client = await Http2Client.open(edge)
            began = time.monotonic()
            status = (await client.get("/hit")).status
        assert await client.is_closed()
        assert time.monotonic() - began >= 1.0
        assert client.goaways == [(1, 0)]


async def test_drain_answers_what_was_asked_and_says_goaway() -> None:
    go = asyncio.Event()

    async def held(asked: Asked, writer: asyncio.StreamWriter) -> None:
        if asked.target == b"/late":
            await go.wait()
        await script(asked, writer)

    async with edge_and_origin(held, tls=[EDGE]) as (edge, _):
        client = await Http2Client.open(edge)
        await client.get("/hit")
        late = client.ask("/late")
        await until(lambda: len(edge.server.server_state.tasks) + len(edge.worker.tasks) > 0)
        edge.worker.drain()
        while not client.goaways:
            assert await client.step()
        assert client.goaways[0] == (2**31 - 1, 0)
        go.set()
        assert (await client.read(late)).body == b"late"
        assert await client.is_closed()
        assert client.goaways[-1] == (3, 0)


async def test_a_connection_ends_before_the_parser_takes_it_for_a_flood() -> None:
    async with edge_and_origin(script, tls=[EDGE]) as (edge, _):
        await edge.get("/hit")
        client = await Http2Client.open(edge)
        for _ in range(3900):
            last = client.ask("/hit")
            if last % 100 == 1:
                assert (await client.read(last)).status == 200
        assert (await client.read(last)).status == 200
        assert await client.is_closed()
        assert client.goaways == [(2**31 - 1, 0), (last, 0)]
        assert all(answer.status == 200 for answer in client.answers.values())
