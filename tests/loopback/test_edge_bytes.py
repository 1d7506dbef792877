"""What reaches an origin is what was asked and keyed, byte for byte."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from cache_policies.key import normalise
from tests.support.edges import PATIENCE_S, Asked, Edge, Origin, response, running_edge

ODD_TARGETS = [
    b"/",
    b"//",
    b"///a",
    b"//host/path",
    b"/a//b",
    b"/a/./b",
    b"/a/../b",
    b"/..",
    b"/../../etc/passwd",
    b"/.",
    b"/a/.",
    b"/a/b/..;/c",
    b"/a;v=1/b;x",
    b"/a;",
    b"/;",
    b"/a,b,c",
    b"/a:b",
    b"/:80",
    b"/@",
    b"/user@host/",
    b"/http://other.test/x",
    b"/?",
    b"/a?",
    b"/a??",
    b"/a???b",
    b"/a?&",
    b"/a?&&a&&",
    b"/a?=",
    b"/a?=b",
    b"/a?b=",
    b"/a?b=c=d",
    b"/a?b&b&b",
    b"/a?b=1&a=2&b=0",
    b"/a?b;c;d=1",
    b"/a?/b?/c",
    b"/a?b=/../c",
    b"/a?x=http://h/?y=1",
    b"/a?+",
    b"/a+b",
    b"/a?b=%20",
    b"/a%20b",
    b"/%61",
    b"/%2F",
    b"/%2f",
    b"/a%2Fb%2fc",
    b"/%2e%2e/",
    b"/%2E",
    b"/%00",
    b"/%0d%0aX:1",
    b"/%0D%0A",
    b"/%",
    b"/%%",
    b"/%2",
    b"/%zz",
    b"/%C3%BC",
    b"/%c3%bc",
    b"/%ff%fe",
    b"/%25",
    b"/%2525",
    b"/%3F",
    b"/a%3Fb?c%3Fd",
    b"/%23",
    b"/%26?a%26b=%3D",
    "/gün".encode(),
    "/gün?ş=ö".encode(),
    "/動画/動.m4s".encode(),
    "/😀?😀".encode(),
    b"/\xff\xfe",
    b"/\x80",
    b"/a?\xc3\x28",
    b"/a'b",
    b'/a"b"',
    b"/<script>",
    b"/a|b",
    b"/a\\b",
    b"/\\..\\",
    b"/^",
    b"/`id`",
    b"/{a}",
    b"/[a]",
    b"/a?x[]=1&x[]=2",
    b"/a?x[0][k]={v}",
    b"/$HOME",
    b"/$(id)",
    b"/*",
    b"/!",
    b"/~user/",
    b"/-",
    b"/_",
    b"/a=b",
    b"/a?CMCD",
    b"/a?cmcd=bl%3D1",
    b"/a?xCMCD=1",
    b"/a?CMCDx=1",
    b"/A/a/A",
    b"/INDEX.HTML",
    b"/a.m3u8?_HLS_msn=1&_HLS_part=2",
    b"/a?" + b"k=v&" * 500,
    b"/" + b"d/" * 2000,
    b"/" + b"x" * 7000,
    b"/" + b"%20" * 2500,
]
BYTES = [bytes([each]) for each in range(0x21, 0x100) if each not in (0x23, 0x7F)]
TARGETS = [
    *dict.fromkeys(
        [
            *ODD_TARGETS,
            *(b"/in-path/a" + each + b"b" for each in BYTES),
            *(b"/in-query?a" + each + b"b" for each in BYTES),
        ]
    )
]
VALUES = [
    b'"quoted"',
    b'"un;closed',
    b"'single'",
    b'a;b=c;d="e,f"',
    b"a,b,,c,",
    b",",
    b";",
    b"=",
    b"a b  c   d",
    b"a\tb",
    b'<>@,;:\\"/[]?={}',
    "değer".encode(),
    b"\xff\xfe\x80",
    b"%0d%0a",
    b"x" * 8000,
    b'W/"1", "2"',
    b"(comment (nested \\) ))",
    *(b"v" + each + b"w" for each in BYTES),
]


class RawOrigin(Origin):
    """Keeps each request's bytes as they came, and answers all alike."""

    def __init__(self) -> None:
        super().__init__(self.answer)
        self.heads: list[bytes] = []

    async def answer(self, _: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(response(b"", "Cache-Control: max-age=900"))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        read = reader.readuntil

        async def keep(separator: bytes) -> bytes:
            head = await read(separator)
            self.heads.append(head)
            return head

        reader.readuntil = keep  # type: ignore[method-assign]
        with suppress(asyncio.CancelledError):
            await super()._serve(reader, writer)


@asynccontextmanager
async def edge_before_bytes() -> AsyncIterator[tuple[Edge, RawOrigin]]:
    origin = RawOrigin()
    await origin.start()
    try:
        async with running_edge(origin.url) as edge:
            yield edge, origin
    finally:
        await origin.stop()


async def test_targets_arrive_as_they_were_keyed() -> None:
    assert len(TARGETS) > 200
    async with edge_before_bytes() as (edge, origin), asyncio.timeout(PATIENCE_S):
        client = await edge.client()
        for number, target in enumerate(TARGETS):
            line = b"If-Modified-Since: 0\r\n" if number % 2 else b""  # the other way to the app
            client.send(b"GET %b HTTP/1.1\r\nHost: edge.test\r\n%b\r\n" % (target, line))
            assert (await client.read()).status == 200, target
            line = origin.heads[-1].split(b"\r\n")[0]
            assert line == b"GET " + target + b" HTTP/1.1"
            assert normalise(target)[1] == target
        for target in TARGETS:  # and no two of them are the same to the cache
            client.send(b"GET " + target + b" HTTP/1.1\r\nHost: edge.test\r\n\r\n")
            assert "hit" in (await client.read()).says, target
        assert len(origin.heads) == len(TARGETS)


async def test_field_values_arrive_as_they_were_sent() -> None:
    async with edge_before_bytes() as (edge, origin), asyncio.timeout(PATIENCE_S):
        client = await edge.client()
        for number, value in enumerate(VALUES):
            head = b"GET /%d HTTP/1.1\r\nHost: edge.test\r\nX-Odd: %b\r\nx-ODD:%b \t\r\n\r\n"
            client.send(head % (number, value, value))
            assert (await client.read()).status == 200, value
            lines = origin.heads[-1].split(b"\r\n")
            assert lines.count(b"x-odd: " + value) == 2, value


async def test_what_is_between_two_hops_stays_there() -> None:
    lines = (
        b"TE: trailers, deflate;q=0.5",
        b"Connection: keep-alive, TE, X-Mine, Close-Not",
        b"X-Mine: 1",
        b"close-not: 2",
        b"Keep-Alive: timeout=5",
        b"Proxy-Connection: keep-alive",
        b"Proxy-Authorization: Basic eDp5",
        b"Trailer: X-Sum",
        b"X-Yours: 3",
    )
    async with edge_before_bytes() as (edge, origin), asyncio.timeout(PATIENCE_S):
        client = await edge.client()
        client.send(b"GET / HTTP/1.1\r\nHost: edge.test\r\n" + b"\r\n".join(lines) + b"\r\n\r\n")
        assert (await client.read()).status == 200
        names = {line.split(b":")[0] for line in origin.heads[-1].split(b"\r\n")[1:] if line}
        own = {b"host", b"via", b"surrogate-capability", b"x-forwarded-for", b"x-forwarded-proto"}
        assert names == {*own, b"x-yours"}
