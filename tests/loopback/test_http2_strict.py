"""HTTP/2 is held to the rules of HTTP/1.1, and floods end the connection that sends them."""

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import suppress

import hpack
import pytest
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from edge.refusals import REFUSALS
from tests.support.edges import Asked, Edge, edge_and_origin, response, until
from tests.support.http2 import Http2Client, raw_connection
from tests.support.tls import EDGE

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SettingsFrame(0).serialize()
METHOD, SCHEME = (b":method", b"GET"), (b":scheme", b"https")
AUTHORITY, PATH = (b":authority", b"edge.test"), (b":path", b"/hit")
PLAIN = [METHOD, SCHEME, AUTHORITY, PATH]

Head = list[tuple[bytes, bytes]]


def also(*fields: tuple[bytes, bytes]) -> Head:
    return [*PLAIN, *fields]


def path(value: bytes) -> Head:
    return [METHOD, SCHEME, AUTHORITY, (b":path", value)]


def authority(value: bytes) -> Head:
    return [METHOD, SCHEME, (b":authority", value), PATH]


REFUSED: list[tuple[str, Head]] = [  # reason, fields; a reset stream is counted as http2-syntax
    ("fragment", path(b"/hit#part")),
    ("target", path(b"hit")),
    ("target", path(b"*")),
    ("target", path(b"/a b")),
    ("target", path(b"http://edge.test/hit")),
    ("url-too-long", path(b"/" + b"u" * 9000)),
    ("http2-syntax", path(b"")),
    ("http2-syntax", path(b"/a\x00")),
    ("http2-syntax", path(b"/a\r\nx: y")),
    ("host", [METHOD, SCHEME, PATH]),
    ("host", authority(b"")),
    ("host", authority(b"a b")),
    ("host", authority(b"me@edge.test")),
    ("host", authority(b"edge.test/x")),
    ("http2-syntax", [METHOD, SCHEME, PATH, (b"host", b"edge.test"), (b"host", b"other.test")]),
    ("http2-syntax", also((b"host", b"other.test"))),
    ("http2-syntax", also(AUTHORITY)),
    ("http2-syntax", also(PATH)),
    ("http2-syntax", [SCHEME, AUTHORITY, PATH]),
    ("http2-syntax", [METHOD, AUTHORITY, PATH]),
    ("http2-syntax", [METHOD, SCHEME, AUTHORITY]),
    ("http2-syntax", [METHOD, SCHEME, AUTHORITY, (b"x", b"y"), PATH]),
    ("http2-syntax", also((b":status", b"200"))),
    ("http2-syntax", also((b":unknown", b"x"))),
    ("http2-syntax", also((b"X-Upper", b"x"))),
    ("http2-syntax", also((b"x y", b"z"))),
    ("http2-syntax", also((b"x:", b"z"))),
    ("http2-syntax", also((b"", b"z"))),
    ("http2-syntax", also((b"x\r\ny", b"z"))),
    ("http2-syntax", also((b"x", b"a\r\nb: c"))),
    ("http2-syntax", also((b"x", b"a\x00b"))),
    ("http2-syntax", also((b"x", b" a"))),
    ("http2-syntax", also((b"connection", b"close"))),
    ("http2-syntax", also((b"connection", b"transfer-encoding"))),
    ("http2-syntax", also((b"keep-alive", b"timeout=5"))),
    ("http2-syntax", also((b"proxy-connection", b"x"))),
    ("http2-syntax", also((b"transfer-encoding", b"chunked"))),
    ("http2-syntax", also((b"upgrade", b"h2c"))),
    ("http2-syntax", also((b"te", b"gzip"))),
    ("http2-syntax", also((b"content-length", b"5"))),
    ("http2-syntax", also((b"content-length", b"+0"))),
    ("content-length", also((b"content-length", b"0"), (b"content-length", b"0"))),
    ("http2-syntax", [(b":method", b"CONNECT"), AUTHORITY]),
    ("method", [(b":method", b"BREW"), SCHEME, AUTHORITY, PATH]),
    ("method", [(b":method", b"get"), SCHEME, AUTHORITY, PATH]),
    ("method", [(b":method", b"TRACE"), SCHEME, AUTHORITY, PATH]),
    ("http2-syntax", [(b":method", b"G ET"), SCHEME, AUTHORITY, PATH]),
    ("fields-max", also(*((b"x%d" % number, b"y") for number in range(130)))),
]


async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
    if asked.target == b"/late":
        await asyncio.sleep(30)
    writer.write(response(b"from memory", "Cache-Control: max-age=600"))


def refused(edge: Edge, reason: str) -> int:
    counts = edge.worker.counters.snapshot()
    return int(counts["refused_" + reason.replace("-", "_")])


async def test_refused_requests() -> None:
    async with edge_and_origin(script, tls=[EDGE]) as (edge, origin):
        for reason, fields in REFUSED:
            client = await Http2Client.open(edge)
            assert (await client.get("/hit")).body == b"from memory"
            before = refused(edge, reason)
            got = await client.read(client.ask_with(fields))
            if reason == "http2-syntax":
                assert (got.status, got.error) == (0, 1), fields
            else:
                assert (got.status, got.body) == (REFUSALS[reason], reason.encode() + b"\n"), fields
            assert refused(edge, reason) == before + 1, fields
            assert (await client.get("/hit")).body == b"from memory"  # other streams go on
            await client.close()
        assert len(origin.asked) == 1


def block(fields: Head, **options: bool) -> bytes:
    encoder = hpack.Encoder()
    encoder.huffman_coder = None  # type: ignore[assignment]
    return encoder.encode(fields, huffman=False, **options)


def asks(stream_id: int, data: bytes = b"", *flags: str) -> bytes:
    return HeadersFrame(stream_id, data or block(PLAIN), flags=[*flags, "END_HEADERS"]).serialize()


def resets(target: bytes) -> Iterator[bytes]:
    head = block(path(target))
    for stream_id in itertools.count(1, 2):
        yield asks(stream_id, head, "END_STREAM") + RstStreamFrame(stream_id, 8).serialize()


def continuations() -> Iterator[bytes]:
    yield HeadersFrame(1, block(PLAIN)).serialize()
    while True:
        yield ContinuationFrame(1, block([(b"x", b"y" * 100)])).serialize()


def bomb() -> Iterator[bytes]:
    """One field of 3.9 kB put into the table, then named again and again."""
    yield asks(1, block(PLAIN) + b"\x40\x01x\x7f\xbd\x1d" + b"y" * 3900, "END_STREAM")
    for stream_id in itertools.count(3, 2):
        yield asks(stream_id, block(PLAIN) + b"\xbe" * 1000, "END_STREAM")


def pings() -> Iterator[bytes]:
    return itertools.repeat(PingFrame(0, b"12345678").serialize())


def settings() -> Iterator[bytes]:
    return itertools.repeat(SettingsFrame(0, {SettingsFrame.ENABLE_PUSH: 0}).serialize())


def priorities() -> Iterator[bytes]:
    return itertools.repeat(PriorityFrame(1, 0, 1).serialize())


def credits_of_one() -> Iterator[bytes]:
    return itertools.repeat(WindowUpdateFrame(0, 1).serialize())


def empty_data() -> Iterator[bytes]:
    yield HeadersFrame(1, block(PLAIN), flags=["END_HEADERS"]).serialize()
    while True:
        yield DataFrame(1, b"").serialize()


def unknown_frames() -> Iterator[bytes]:
    return itertools.repeat(b"\x00\x00\x00\x77\x00\x00\x00\x00\x00")


FLOODS = {
    "rapid reset of misses": lambda: resets(b"/late"),
    "continuation": continuations,
    "header bomb": bomb,
    "ping": pings,
    "settings": settings,
    "priority": priorities,
    "credit": credits_of_one,
    "empty data": empty_data,
    "unknown": unknown_frames,
}
GRACEFUL = {"rapid reset of misses"}  # the connection ends before its parser would cut it


@pytest.mark.parametrize("name", FLOODS)
async def test_floods_end_their_connection(name: str) -> None:
    async with edge_and_origin(script, tls=[EDGE]) as (edge, origin):
        reader, writer = await raw_connection(edge)
        writer.write(PREFACE)
        sent = FLOODS[name]()

        async def flood() -> None:
            for count, data in enumerate(sent):
                writer.write(data)
                if count % 50 == 0:
                    await writer.drain()
                    await asyncio.sleep(0)

        flooding = asyncio.create_task(flood())
        got = b""
        async with asyncio.timeout(180):
            while data := await reader.read(65_536):
                got += data
        flooding.cancel()
        await asyncio.gather(flooding, return_exceptions=True)
        kinds = [(kind, payload) for kind, payload in frames_in(got) if kind == 7]
        assert kinds, "no GOAWAY"
        if name not in GRACEFUL:
            assert refused(edge, "http2-flood") == 1
            assert kinds[-1][1][4:8] == b"\x00\x00\x00\x0b"  # ENHANCE_YOUR_CALM
        assert len(origin.asked) <= 2  # of one key: what was reset did not multiply
        (await edge.get("/hit")).body  # noqa: B018 others are served
        writer.close()


def frames_in(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 9 <= len(data):
        end = at + 9 + int.from_bytes(data[at : at + 3], "big")
        yield data[at + 3], data[at + 9 : end]
        at = end


async def test_more_streams_than_are_allowed() -> None:
    async with edge_and_origin(script, tls=[EDGE]) as (edge, _):
        client = await Http2Client.open(edge)
        while client.h2.remote_settings.max_concurrent_streams > 1000:
            await client.step()
        assert client.h2.remote_settings.max_concurrent_streams == 128
        writer = client.writer
        writer.write(
            b"".join(
                asks(number, block(path(b"/late")), "END_STREAM") for number in range(1, 301, 2)
            )
        )
        await until(lambda: refused(edge, "streams-max") == 22)
        await client.close()


async def test_a_window_that_overflows() -> None:
    async with edge_and_origin(script, tls=[EDGE]) as (edge, _):
        reader, writer = await raw_connection(edge)
        writer.write(PREFACE + WindowUpdateFrame(0, 2**31 - 1).serialize())
        async with asyncio.timeout(180):
            got = await reader.read(-1)
        assert [payload[4:8] for kind, payload in frames_in(got) if kind == 7] == [b"\0\0\0\x03"]
        assert refused(edge, "http2-window") == 1
        writer.close()


JUNK = {
    "http/1.1": b"GET / HTTP/1.1\r\nHost: edge.test\r\n\r\n" + b"x" * 100,
    "no settings": PREFACE[:24] + PingFrame(0, b"12345678").serialize(),
    "push": PREFACE + b"\x00\x00\x04\x05\x04\x00\x00\x00\x01\x00\x00\x00\x02",
    "even stream": PREFACE + asks(2),
    "too large": PREFACE + b"\x00\xff\xff\x00\x00\x00\x00\x00\x01" + b"x" * 65_535,
    "window of nothing": PREFACE + b"\x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00",
    "huge initial window": PREFACE
    + b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x04\xff\xff\xff\xff",
}


@pytest.mark.parametrize("name", JUNK)
async def test_what_is_not_http2_ends_the_connection(name: str) -> None:
    async with edge_and_origin(script, tls=[EDGE]) as (edge, _):
        reader, writer = await raw_connection(edge)
        writer.write(JUNK[name])
        with suppress(ConnectionError):  # a reset, where not all of it was read
            async with asyncio.timeout(180):
                await reader.read(-1)
        assert refused(edge, "http2-syntax") == 1
        writer.close()
