"""Origins that break off anywhere, babble, flood or drip: never a short success, never a hang."""

import asyncio
import struct
from collections.abc import Awaitable, Callable
from socket import SO_LINGER, SOL_SOCKET

import pytest

from edge.purges import PurgeKind
from tests.support.edges import Asked, Client, edge_and_origin, response, until

FRESH = "Cache-Control: max-age=600"
OK = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\n"
BOUNDED = {"first_byte_s": 1.0, "idle_s": 1.0}
FLOOD_BYTES = 1 << 20


def reset(writer: asyncio.StreamWriter) -> None:
    """End the connection with a reset."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def flood(writer: asyncio.StreamWriter, piece: bytes) -> None:
    for _ in range(FLOOD_BYTES // len(piece)):
        writer.write(piece)
        await writer.drain()


async def drip(writer: asyncio.StreamWriter, data: bytes) -> None:
    for at in range(len(data)):
        writer.write(data[at : at + 1])
        await writer.drain()
        await asyncio.sleep(0.001)


Bad = Callable[[asyncio.StreamWriter], Awaitable[None]]


def says(data: bytes) -> Bad:
    async def say(writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    return say


def floods(before: bytes, piece: bytes) -> Bad:
    async def say(writer: asyncio.StreamWriter) -> None:
        writer.write(before)
        await flood(writer, piece)

    return say


CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
BAD: dict[str, Bad] = {
    "garbage": says(bytes(range(256)) * 8),
    "tls": says(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "http-0.9": says(b"<html>hello</html>\r\n"),
    "http-2": says(b"HTTP/2.0 200 OK\r\n\r\n"),
    "another-protocol": says(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "no-status": says(b"HTTP/1.1 OK\r\n\r\n"),
    "two-lengths": says(OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
    "length-and-chunks": says(
        OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    ),
    "negative-length": says(OK + b"Content-Length: -1\r\n\r\n"),
    "huge-length": says(OK + b"Content-Length: 99999999999999999999999\r\n\r\n"),
    "other-coding": says(OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
    "nul-in-a-field": says(OK + b"X: a\x00b\r\nContent-Length: 2\r\n\r\nok"),
    "bare-line-feed": says(OK + b"X: a\nSet-Cookie: b\r\nContent-Length: 2\r\n\r\nok"),
    "space-before-colon": says(OK + b"Content-Length : 2\r\n\r\nok"),
    "bad-chunk-size": says(CHUNKED + b"zz\r\nabc\r\n0\r\n\r\n"),
    "negative-chunk": says(CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n"),
    "huge-chunk": says(CHUNKED + b"fffffffffffffffff\r\nabc\r\n"),
    "chunk-too-long": says(CHUNKED + b"2\r\nabcd\r\n0\r\n\r\n"),
    "switching": says(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
    "endless-head": floods(OK, b"X-Filler: " + b"x" * 1000 + b"\r\n"),
    "endless-field": floods(OK + b"X-Filler: ", b"x" * 1000),
    "endless-status": floods(b"HTTP/1.1 200 ", b"x" * 1000),
    "endless-1xx": floods(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 9),
    "endless-extension": floods(CHUNKED + b"3;", b"x" * 1000),
    "endless-trailers": floods(
        CHUNKED + b"3\r\nabc\r\n0\r\n", b"X-Trailer: " + b"x" * 999 + b"\r\n"
    ),
    "silent-after-head": says(OK + b"Content-Length: 9\r\n\r\n"),
    "silent-in-body": says(OK + b"Content-Length: 9\r\n\r\nabc"),
}


@pytest.mark.parametrize("name", BAD)
async def test_no_origin_is_bad_enough(name: str) -> None:
    """An error or a visible cut, nothing stored, and what is stale answers where it may."""
    good = True

    async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        if good:
            writer.write(response(b"good", "Cache-Control: max-age=600, stale-if-error=600"))
        else:
            await BAD[name](writer)
            await writer.drain()

    limits = BOUNDED if name.startswith("silent") else {}
    async with edge_and_origin(script, **limits) as (edge, _):
        await edge.get_in_time("/stale")
        edge.purge(PurgeKind.ALL, soft=True)
        good = False
        for line in ("X: plain", "X-Forwarded-Port: 1"):
            got = await edge.get("/x", line)
            assert got.status in (502, 504) or not got.whole, (line, got)
        stale = await edge.get("/stale")
        if (stale.status, stale.body) != (200, b"good"):  # its head was good: too late by then
            assert not stale.whole, stale
        good = True
        await until(lambda: len(edge.worker.tasks) == 0)
        assert len(edge.worker.memory) == 1
        assert (await edge.get_in_time("/x")).body == b"good"
        assert (await edge.get("/stale")).body == b"good"


async def test_a_drip_is_slow_but_right() -> None:
    async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await drip(
            writer,
            b"HTTP/1.1 103 Early\r\n\r\n" + CHUNKED + b"2;a=b\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        )

    async with edge_and_origin(script) as (edge, origin):
        for _ in range(2):
            assert (await edge.get("/x")).body == b"hello"
        assert len(origin.asked) == 1


ENDED_BY_CLOSE = OK + b"Connection: close\r\n\r\nuntil the end"


async def test_a_reset_is_no_end_at_any_byte() -> None:
    """A body that the end of the connection ends is whole only if that end is a clean one."""
    cut = 0

    async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(ENDED_BY_CLOSE[:cut])
        await writer.drain()
        if cut > ENDED_BY_CLOSE.index(b"\r\n\r\n"):
            await got_head.wait()  # else the kernel throws away what it has of the head, too
        reset(writer)

    async with edge_and_origin(script) as (edge, _):
        for cut in range(len(ENDED_BY_CLOSE) + 1):
            got_head = asyncio.Event()
            client = await edge.client()
            client.send(b"GET /%d HTTP/1.1\r\nHost: edge.test\r\n\r\n" % cut)
            if cut >= ENDED_BY_CLOSE.index(b"\r\n\r\n") + 4:
                await until(lambda: any(fill.stored for fill in edge.worker.fills))
            got_head.set()
            got = await client.read()
            assert got.status == 502 or not got.whole, (cut, got)
            await client.close()
        assert len(edge.worker.memory) == 0


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 5\r\n\r\nhe", b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n"]
)
@pytest.mark.parametrize("line", [b"", b"X-Forwarded-Port: 1\r\n"])
async def test_http_10_sees_a_cut_too(framing: bytes, line: bytes) -> None:
    """Where the end of the connection ends the body, a cut has to be a reset."""

    async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + framing)
        await writer.drain()
        await got_some.wait()
        writer.close()

    got_some = asyncio.Event()
    async with edge_and_origin(script) as (edge, _):
        client: Client = await edge.client()
        client.send(b"GET /x HTTP/1.0\r\nHost: edge.test\r\n" + line + b"\r\n")
        head = await client.reader.readuntil(b"\r\n\r\n")
        announced = b"content-length" in head
        got_some.set()
        if announced:
            assert len(await client.reader.read(-1)) < 5
        else:
            with pytest.raises(ConnectionError):
                await client.reader.read(-1)
