"""Nothing that a cache key leaves out reaches an origin, or changes what another player gets."""

import asyncio

import pytest

from tests.support.edges import Asked, Edge, edge_and_origin, response

FRESH = "Cache-Control: max-age=600"
OWN = {
    "host",
    "via",
    "x-forwarded-for",
    "x-forwarded-proto",
    "range",
    "surrogate-capability",
}  # the edge's own words

PLANTED = """
    Ali-CDN-Real-IP: 6.6.6.6
    Base-Url: http://evil.test/
    CDN-Src-IP: 6.6.6.6
    CF-Connecting-IP: 6.6.6.6
    Client-IP: 6.6.6.6
    Fastly-Client-IP: 6.6.6.6
    Forwarded: for=6.6.6.6;host=evil.test;proto=https
    Front-End-Https: on
    Proxy: http://evil.test:8080
    Request-Uri: /admin
    True-Client-IP: 6.6.6.6
    X-Accel-Mapping: /=/etc/
    X-Azure-ClientIP: 6.6.6.6
    X-Backend-Host: evil.test
    X-Client-IP: 6.6.6.6
    X-Cluster-Client-IP: 6.6.6.6
    X-Envoy-External-Address: 6.6.6.6
    X-Envoy-Original-Path: /admin
    X-Forwarded: for=6.6.6.6
    X-Forwarded-By: evil.test
    X-Forwarded-Client-Cert: Subject="CN=admin"
    X-Forwarded-For: 6.6.6.6
    X-Forwarded-Host: evil.test
    X-Forwarded-Method: DELETE
    X-Forwarded-Path: /admin
    X-Forwarded-Port: 1
    X-Forwarded-Prefix: /evil
    X-Forwarded-Proto: nothttps
    X-Forwarded-Protocol: nothttps
    X-Forwarded-Scheme: nothttps
    X-Forwarded-Server: evil.test
    X-Forwarded-Ssl: on
    X-Forwarded-Uri: /admin
    X-Forwarded-User: admin
    X-Host: evil.test
    X-Host-Override: evil.test
    X-HTTP-DestinationURL: http://evil.test/
    X-HTTP-Host-Override: evil.test
    X-HTTP-Method: DELETE
    X-HTTP-Method-Override: DELETE
    X-HTTP-Path-Override: /admin
    X-Method-Override: DELETE
    X-Middleware-Subrequest: middleware
    X-Original-Forwarded-For: 6.6.6.6
    X-Original-Host: evil.test
    X-Original-Method: DELETE
    X-Original-URI: /admin
    Surrogate-Capability: evil="ESI/1.0"
    X-Original-URL: /admin
    X-Originating-IP: 6.6.6.6
    X-Override-URL: /admin
    X-Proxy-User-IP: 6.6.6.6
    X-Real-IP: 6.6.6.6
    X-Remote-Addr: 6.6.6.6
    X-Remote-IP: 6.6.6.6
    X-Rewrite-URL: /admin
    X-Scheme: nothttps
    X-Script-Name: /evil
    X-Sendfile-Type: X-Accel-Redirect
    X-URL-Scheme: nothttps
    X-WAP-Profile: http://evil.test/
    Amaro-Hop: 999
    Connection: X-Forwarded-Host
    Proxy-Connection: keep-alive
    TE: trailers
    Range: bytes=0-0
    If-None-Match: "planted"
    If-Modified-Since: Wed, 18 Nov 2020 10:00:00 GMT
    If-Range: "planted"
"""
FIELDS = [line.strip() for line in PLANTED.strip().splitlines()]

TARGETS = [  # an attacker's, a victim's: one key, so the origin must see one target
    ("/page?CMCD=%3Cscript%3E", "/page"),
    ("/page?a=1&CMCD=evil", "/page?a=1"),
    ("/page?CMCD=evil&a=1", "/page?a=1"),
    ("/page?CMCD=evil&a=1&CMCD=more", "/page?a=1"),
    ("http://edge.test/page", "/page"),
    ("HTTP://EDGE.test/page", "/page"),
]
HOSTS = ["EDGE.test", "edge.test:80", "eDgE.tEsT:80"]  # of one key with edge.test

DIFFERENT = [  # pairs that some servers take for the same and others do not: never one key
    ("/a/../page", "/page"),
    ("//page", "/page"),
    ("/./page", "/page"),
    ("/page/", "/page"),
    ("/page?", "/page"),
    ("/page;x", "/page"),
    ("/page%00", "/page"),
    ("/page%3Fa", "/page?a"),
    ("/page%2F", "/page/"),
    ("/%70age", "/page"),
    ("/PAGE", "/page"),
    ("/page\\", "/page/"),
    ("/page?a=1&b=2", "/page?b=2&a=1"),
    ("/page?a=1;b=2", "/page?a=1&b=2"),
    ("/page?cmcd=1", "/page"),
    ("/page?%43MCD=1", "/page"),
    ("/page?XCMCD=1", "/page"),
    ("/page?a=CMCD=1", "/page?a="),
    ("/pageCMCD=1", "/page"),
    ("/page?a?CMCD=1", "/page?a"),
]


async def mirror(asked: Asked, writer: asyncio.StreamWriter) -> None:
    """Say back, for everybody to keep, all that came but what the edge itself says."""
    lines = [f"{asked.method} ".encode() + asked.target, b"host: " + (asked.get("host") or b"")]
    lines += [name.encode() + b": " + value for name, value in asked.fields if name not in OWN]
    writer.write(response(b"\n".join([*lines, asked.body]), FRESH))


def clean(target: str) -> bytes:
    """What the origin says to a request that plants nothing."""
    return b"\n".join([b"GET " + target.encode("latin-1"), b"host: edge.test", b""])


async def ask(edge: Edge, *lines: str) -> bytes:
    """Send a request of these lines; return the body of its answer."""
    client = await edge.client()
    client.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n")
    got = await client.read()
    await client.close()
    return got.body


def spellings(field: str) -> list[str]:
    """The ways to write a field's name that some origin reads as the same."""
    name, _, value = field.partition(": ")
    return [field, f"{name.upper()}:\t{value} ", f"{name.replace('-', '_')}: {value}"]


async def test_planted_fields_reach_nobody() -> None:
    assert len(FIELDS) >= 40
    async with edge_and_origin(mirror) as (edge, origin):
        planted = [spelling for field in FIELDS for spelling in spellings(field)]
        for number, field in enumerate(planted):
            target = f"/{number}"
            first = f"GET {target} HTTP/1.1"
            await ask(edge, first, "Host: edge.test", field, "X-Forwarded-Host: evil.test")
            assert await ask(edge, first, "Host: edge.test") == clean(target), field
            asked = origin.asked[-1]
            assert asked.get("x-forwarded-for") == b"127.0.0.1", field
            assert asked.get("x-forwarded-proto") == b"http", field
            assert asked.get("surrogate-capability") == b'amaro-edge="Surrogate/1.0"', field
            assert {each.get("range") for each in origin.asked} <= {None, b"bytes=0-1048575"}, field
        assert len(origin.asked) == len(planted)


@pytest.mark.parametrize("target", ["/", "/page"])
async def test_a_body_of_a_get_reaches_nobody(target: str) -> None:
    async with edge_and_origin(mirror) as (edge, origin):
        first = f"GET {target} HTTP/1.1"
        await ask(edge, first, "Host: edge.test", "Content-Length: 4", "", "evil")
        await ask(
            edge, first, "Host: edge.test", "Transfer-Encoding: chunked", "", "4", "evil\r\n0"
        )
        assert await ask(edge, first, "Host: edge.test") == clean(target)
        assert [asked.body for asked in origin.asked] == [b""]


async def test_one_key_is_one_request() -> None:
    """Whatever two requests of one key look like, the origin cannot tell them apart."""
    for attacker, victim in TARGETS:
        async with edge_and_origin(mirror) as (edge, origin):
            await ask(edge, f"GET {attacker} HTTP/1.1", "Host: edge.test")
            assert await ask(edge, f"GET {victim} HTTP/1.1", "Host: edge.test") == clean(victim)
            assert [asked.target.decode() for asked in origin.asked] == [victim]
    for host in HOSTS:
        async with edge_and_origin(mirror) as (edge, origin):
            await ask(edge, "GET /page HTTP/1.1", f"Host: {host}")
            assert await ask(edge, "GET /page HTTP/1.1", "Host: edge.test") == clean("/page")
            assert len(origin.asked) == 1


async def test_different_targets_are_different_keys() -> None:
    async with edge_and_origin(mirror) as (edge, origin):
        for one, other in DIFFERENT:
            for target in (one, other):
                for _ in range(2):
                    got = await ask(edge, f"GET {target} HTTP/1.1", "Host: edge.test")
                    assert got == clean(target)
        for target in ("/page", "/page?a"):
            assert sum(asked.target == target.encode() for asked in origin.asked) == 1


async def test_what_varies_by_what_the_edge_says_is_for_one() -> None:
    """Only the edge says what address a player has: an answer that depends on it is for one."""

    async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(response(b"for one", FRESH, f"Vary: {asked.target[1:].decode()}"))

    async with edge_and_origin(script) as (edge, origin):
        for names in ("X-Forwarded-For", "Accept,x-forwarded-for"):
            for count in (1, 2):
                await ask(edge, f"GET /{names} HTTP/1.1", "Host: edge.test")
                assert sum(names in str(asked.target) for asked in origin.asked) == count


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: edge.test\r\n\r\n"
FRAMINGS = [  # each is refused, or is one message for the edge and one for the origin
    (b"Content-Length: 6", b"Transfer-Encoding: chunked"),
    (b"Transfer-Encoding: chunked", b"Content-Length: 6"),
    (b"Transfer-Encoding: xchunked",),
    (b"Transfer-Encoding: chunked, identity",),
    (b"Transfer-Encoding: identity, chunked",),
    (b"Transfer-Encoding: identity",),
    (b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"),
    (b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
    (b"Transfer-Encoding:\x0bchunked",),
    (b"Transfer-Encoding: \x00chunked",),
    (b"Transfer-Encoding : chunked",),
    (b" Transfer-Encoding: chunked",),
    (b"X: x\r\n Transfer-Encoding: chunked",),
    (b"X: x\nTransfer-Encoding: chunked",),
    (b"X: x\rTransfer-Encoding: chunked",),
    (b'Transfer-Encoding: "chunked"',),
    (b"Transfer-Encoding: chunked;q=1",),
    (b"Transfer-Encoding:",),
    (b"Transfer\xad-Encoding: chunked",),
    (b"Content-Length: +6",),
    (b"Content-Length: -6",),
    (b"Content-Length: 0x6",),
    (b"Content-Length: 6 6",),
    (b"Content-Length: 6, 6",),
    (b"Content-Length: 6;",),
    (b'Content-Length: "6"',),
    (b"Content-Length:",),
    (b"Content-Length: 6_0",),
    (b"Content-Length: 99999999999999999999",),
    (b"Content-Length: 6", b"Content-Length: 0"),
    (b"Content-Length: 0", b"Content-Length: 6"),
    (b"Content-Length : 6",),
    (b"Content-Length\t: 6",),
    (b"Content-Length: 6\x00",),
]


@pytest.mark.parametrize("method", [b"GET", b"POST"])
async def test_framings_that_two_servers_read_in_two_ways(method: bytes) -> None:
    async with edge_and_origin(mirror) as (edge, origin):
        for lines in FRAMINGS:
            head = b"\r\n".join([method + b" / HTTP/1.1", b"Host: edge.test", *lines])
            for body in (b"0\r\n\r\n", b"", b"6\r\n\r\n"):
                client = await edge.client()
                client.send(head + b"\r\n\r\n" + body + SMUGGLED)
                got = await client.read()
                assert got.status == 400, (lines, got)
                assert await client.is_closed()
                await client.close()
        assert origin.asked == []
