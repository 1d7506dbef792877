"""Requests that two servers could read in two ways are refused, before any path answers them."""

import asyncio

import pytest

from edge.refusals import REFUSALS
from tests.support.edges import Asked, Edge, edge_and_origin, response, until

HOST = b"Host: edge.test\r\n"
END = b"\r\n"
CHUNKED = b"POST /hit HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"


def get(*lines: bytes, target: bytes = b"/hit", version: bytes = b"1.1") -> bytes:
    fields = b"".join(line + b"\r\n" for line in lines)
    return b"GET " + target + b" HTTP/" + version + b"\r\n" + HOST + fields + END


REFUSED = {  # what is sent, to a path that is in memory: the reason
    # the request line
    b"GET /hit\r\n": "version",  # HTTP/0.9
    b"GET /hit \r\n": "version",
    b"GET /hit\r\n" + HOST + END: "version",
    get(version=b"0.9"): "version",
    get(version=b"1.2"): "version",
    get(version=b"2.0"): "version",
    get(version=b"1.11"): "request-line",
    b"GET /hit http/1.1\r\n" + HOST + END: "version",
    b"GET  /hit HTTP/1.1\r\n" + HOST + END: "request-line",
    b"GET /hit  HTTP/1.1\r\n" + HOST + END: "request-line",
    b"GET\t/hit HTTP/1.1\r\n" + HOST + END: "request-line",
    b" GET /hit HTTP/1.1\r\n" + HOST + END: "request-line",
    b"GET /hit HTTP/1.1 \r\n" + HOST + END: "version",
    b"GET /a b HTTP/1.1\r\n" + HOST + END: "request-line",
    b"GET /a\x00 HTTP/1.1\r\n" + HOST + END: "request-line",
    b"G(T /hit HTTP/1.1\r\n" + HOST + END: "request-line",
    b"BREW /hit HTTP/1.1\r\n" + HOST + END: "method",
    b"get /hit HTTP/1.1\r\n" + HOST + END: "method",
    b"CONNECT edge.test:80 HTTP/1.1\r\n" + HOST + END: "method",
    b"TRACE /hit HTTP/1.1\r\n" + HOST + END: "method",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n": "version",
    get(target=b"/" + b"u" * 9000): "url-too-long",
    b"GET /" + b"u" * 9000: "url-too-long",
    # the target
    get(target=b"/hit#part"): "fragment",
    get(target=b"http://edge.test/hit#part"): "fragment",
    get(target=b"hit"): "target",
    get(target=b"*"): "target",
    get(target=b"edge.test:80"): "target",
    get(target=b"http:/hit"): "target",
    get(target=b"http://me@edge.test/hit"): "target",
    get(target=b"http://other.test/hit"): "absolute-form",
    get(target=b"http://edge.test:81/hit"): "absolute-form",
    get(target=b"http:///hit"): "absolute-form",
    get(target=b"https://edge.test/hit"): "absolute-form",
    get(target=b"ftp://edge.test/hit"): "absolute-form",
    # Host
    b"GET /hit HTTP/1.1\r\n\r\n": "host",
    b"GET /hit HTTP/1.1\r\nX: y\r\n\r\n": "host",
    b"GET http://edge.test/hit HTTP/1.1\r\n\r\n": "host",
    get(b"Host: edge.test"): "host",
    get(b"Host: other.test"): "host",
    get(b"hOST: edge.test"): "host",
    get(b"Host: edge.test", version=b"1.0"): "host",
    b"GET /hit HTTP/1.1\r\nHost:\r\n\r\n": "host",
    b"GET /hit HTTP/1.1\r\nHost: a b\r\n\r\n": "host",
    b"GET /hit HTTP/1.1\r\nHost: a,b\r\n\r\n": "host",
    b"GET /hit HTTP/1.1\r\nHost: " + b"a" * 256 + b"\r\n\r\n": "host",
    b"GET /hit HTTP/1.1\r\nHost: a:000080\r\n\r\n": "host",
    b"GET /hit HTTP/1.1\r\nHost: a/b\r\n\r\n": "host",
    b"GET /hit HTTP/1.1\r\nHost: a?b\r\n\r\n": "host",
    b"GET /hit HTTP/1.1\r\nHost: a#b\r\n\r\n": "host",
    b"GET /hit HTTP/1.1\r\nHost: me@edge.test\r\n\r\n": "host",
    b"GET /hit HTTP/1.1\r\nHost: edge.test:80:80\r\n\r\n": "host",
    b"GET /hit HTTP/1.1\r\nHost: [::1\r\n\r\n": "host",
    b"GET /hit HTTP/1.1\r\nHost: edge.test:x\r\n\r\n": "host",
    # fields
    get(b"X : y"): "field-name",
    get(b"Content-Length : 5"): "field-name",
    get(b"Transfer-Encoding\t: chunked"): "field-name",
    get(b"\x0bX: y"): "field-name",
    get(b"X\x00: y"): "field-name",
    get(b"X(: y"): "field-name",
    get(b": y"): "field-name",
    get(b"no colon"): "field-name",
    b"GET /hit HTTP/1.1\r\n " + HOST + END: "folded-field",
    get(b"X: y", b" folded"): "folded-field",
    get(b"X: y", b"\tfolded"): "folded-field",
    get(b"X: a\x00b"): "field-value",
    get(b"X: a\x08b"): "field-value",
    get(b"X: a\x7fb"): "field-value",
    get(*(b"X-%d: y" % number for number in range(128))): "fields-max",
    get(b"X: " + b"x" * 40_000): "head-too-large",
    b"GET /hit HTTP/1.1\r\n" + HOST + b"X: " + b"x" * 40_000: "head-too-large",
    # ends of lines
    b"GET /hit HTTP/1.1\nHost: edge.test\n\n": "bare-line-end",
    b"GET /hit HTTP/1.1\r\n" + HOST + b"X: y\n\r\n": "bare-line-end",
    b"GET /hit HTTP/1.1\n" + HOST + END: "bare-line-end",
    b"GET /hit HTTP/1.1\r" + HOST + END: "bare-line-end",
    get(b"X: a\rb"): "bare-line-end",
    get(b"X: a\nTransfer-Encoding: chunked"): "bare-line-end",
    get(b"X: a\r\rTransfer-Encoding: chunked"): "bare-line-end",
    get(b"X: y\r"): "bare-line-end",
    # framing
    get(b"Content-Length: 1", b"Content-Length: 2") + b"x": "content-length",
    get(b"Content-Length: 1", b"Content-Length: 1") + b"x": "content-length",
    get(b"Content-Length: 1, 1") + b"x": "content-length",
    get(b"Content-Length: +1") + b"x": "content-length",
    get(b"Content-Length: -1") + b"x": "content-length",
    get(b"Content-Length: 0x1") + b"x": "content-length",
    get(b"Content-Length: 1 1") + b"x": "content-length",
    get(b"Content-Length: 1.0") + b"x": "content-length",
    get(b"Content-Length: 1_0") + b"x": "content-length",
    get(b"Content-Length: \xb9") + b"x": "content-length",
    get(b"Content-Length:"): "content-length",
    get(b"Content-Length: 99999999999999999999"): "content-length",
    get(b"Content-Length: 1", b"Transfer-Encoding: chunked") + b"0\r\n\r\n": "content-length",
    get(b"Transfer-Encoding: chunked", b"Content-Length: 5") + b"0\r\n\r\n": "content-length",
    get(b"Transfer-Encoding: gzip, chunked"): "transfer-encoding",
    get(b"Transfer-Encoding: chunked, gzip"): "transfer-encoding",
    get(b"Transfer-Encoding: chunked, chunked"): "transfer-encoding",
    get(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"): "transfer-encoding",
    get(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"): "transfer-encoding",
    get(b"Transfer-Encoding: identity"): "transfer-encoding",
    get(b"Transfer-Encoding: gzip"): "transfer-encoding",
    get(b"Transfer-Encoding: xchunked"): "transfer-encoding",
    get(b"Transfer-Encoding: chunked;q=1"): "transfer-encoding",
    get(b'Transfer-Encoding: "chunked"'): "transfer-encoding",
    get(b"Transfer-Encoding:"): "transfer-encoding",
    get(b"Transfer-Encoding: \x0bchunked"): "field-value",
    get(b"Transfer-Encoding: chunked", version=b"1.0"): "transfer-encoding",
}
CUT = {  # bodies, after a head that was good: the reason
    b"5\nhello\r\n0\r\n\r\n": "bare-line-end",
    b"5\r\nhello\n0\r\n\r\n": "bare-line-end",
    b"5\r\nhello\r\n0\n\n": "bare-line-end",
    b"5\rXhello\r\n0\r\n\r\n": "chunk",
    b"zz\r\nhello\r\n": "chunk",
    b"-5\r\nhello\r\n": "chunk",
    b"+5\r\nhello\r\n": "chunk",
    b"0x5\r\nhello\r\n": "chunk",
    b" 5\r\nhello\r\n": "chunk",
    b"5 \r\nhello\r\n": "chunk",
    b"\r\nhello\r\n": "chunk",
    b"5\r\nhelloX\r\n": "chunk",
    b"5\r\nhello world\r\n0\r\n\r\n": "chunk",
    b"10000000000000000\r\n": "chunk",
    b"fffffffffffffffff\r\n": "chunk",
    b"5;a=\x00\r\nhello\r\n": "chunk",
    b"5;a=\rb\r\nhello\r\n": "chunk",
    b"5;" + b"e" * 300: "chunk-extensions",
    (b"1;" + b"e" * 200 + b"\r\nx\r\n") * 30: "chunk-extensions",
    b"0\r\nX : y\r\n\r\n": "trailer",
    b"0\r\nno colon\r\n\r\n": "trailer",
    b"0\r\nX: y\r\n folded\r\n\r\n": "trailer",
    b"0\r\n" + b"X: y\r\n" * 2000: "trailer",
    b"0\r\nX: " + b"y" * 9000: "trailer",
}


async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(response(b"from memory", "Cache-Control: max-age=600"))


def refused(edge: Edge, reason: str) -> int:
    counts = edge.worker.counters.snapshot()
    return counts["refused_" + reason.replace("-", "_")]


@pytest.mark.parametrize("sent", REFUSED, ids=lambda data: repr(data[:70]))
async def test_refused_heads(sent: bytes) -> None:
    reason = REFUSED[sent]
    async with edge_and_origin(script) as (edge, origin):
        known = await edge.client()
        for _ in range(2):  # its field lines are known now
            assert (await known.get("/hit")).body == b"from memory"
        asked = len(origin.asked)
        for number, client in enumerate((known, await edge.client())):
            client.send(sent)
            got = await client.read()
            assert (got.status, got.body) == (REFUSALS[reason], reason.encode() + b"\n")
            assert got.get("connection") == b"close"
            assert got.get("access-control-allow-origin") == b"*"
            assert await client.is_closed()
            assert refused(edge, reason) == number + 1
        assert len(origin.asked) == asked


@pytest.mark.parametrize("body", CUT, ids=lambda data: repr(data[:50]))
async def test_refused_bodies(body: bytes) -> None:
    async with edge_and_origin(script) as (edge, origin):
        await edge.get("/hit")
        client = await edge.client()
        client.send(CHUNKED + body)
        await until(lambda: refused(edge, CUT[body]) == 1)
        assert await client.is_closed()
        assert all(asked.method == "GET" or not asked.body for asked in origin.asked)


ACCEPTED = {  # odd, but there is one way to read it
    b"\r\n" + get(),
    get(b"X:"),
    get(b"X:y\t"),
    get(b"X: \xff\x80"),
    get(target=b"http://EDGE.test/hit"),
    get(target=b"HTTP://edge.test/hit"),
    get(b"Content-Length: 0"),
    get(b"Content-Length: 000"),
    get(b"Transfer-Encoding: CHUNKED") + b"0\r\n\r\n",
    get(b"Transfer-Encoding: chunked") + b"003;a=b\r\nabc\r\n0\r\nX: y\r\n\r\n",
    get(*(b"X-%d: y" % number for number in range(127))),
}


@pytest.mark.parametrize("sent", sorted(ACCEPTED), ids=lambda data: repr(data[:70]))
async def test_odd_requests(sent: bytes) -> None:
    async with edge_and_origin(script) as (edge, _):
        client = await edge.client()
        for _ in range(2):
            client.send(sent)
            assert (await client.read()).body == b"from memory"
        assert (await client.get("/hit")).body == b"from memory"


async def test_every_reason_of_a_malformed_request_has_a_row() -> None:
    elsewhere = {
        "client-connections-max",
        "connections-max",
        "head-too-slow",
        "streams-max",
        "syntax",
    }
    elsewhere |= {reason for reason in REFUSALS if reason.startswith(("http2-", "tls-"))}
    assert {*REFUSED.values(), *CUT.values()} == REFUSALS.keys() - elsewhere
