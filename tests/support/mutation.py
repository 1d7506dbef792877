"""Bytes that are almost what a program sends: real messages, mutated by a seed."""

import itertools
import random

REQUESTS = [
    b"GET / HTTP/1.1\r\nHost: edge.test\r\n\r\n",
    (
        b"GET /hit HTTP/1.1\r\nHost: edge.test\r\nAccept: */*\r\nAccept-Encoding: gzip, br\r\n"
        b"User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nConnection: keep-alive\r\n\r\n"
    ),
    b"GET /hit?CMCD=bl%3D21300%2Cmtp%3D2 HTTP/1.1\r\nHost: edge.test\r\nRange: bytes=0-5\r\n\r\n",
    b'HEAD /hit HTTP/1.1\r\nHost: edge.test\r\nIf-None-Match: "hit", W/"x"\r\n\r\n',
    b"GET http://edge.test/a?b HTTP/1.1\r\nHost: edge.test\r\n\r\n",
    b"GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"POST /files HTTP/1.1\r\nHost: edge.test\r\nContent-Length: 11\r\n\r\nhello world",
    (
        b"POST /chunks HTTP/1.1\r\nHost: edge.test\r\nTransfer-Encoding: chunked\r\n\r\n"
        b'5;ext="a;b"\r\nhello\r\n6\r\n\r\n\r\nwo\r\n0\r\nX-Trailer: 1\r\n\r\n'
    ),
    (
        b"PATCH /u/1 HTTP/1.1\r\nHost: edge.test\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n"
        b"Content-Type: application/offset+octet-stream\r\nContent-Length: 3\r\n\r\nabc"
    ),
    b"PUT /p HTTP/1.1\r\nHost: edge.test\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok",
    b"OPTIONS * HTTP/1.1\r\nHost: edge.test\r\n\r\n",
    b"GET /chat HTTP/1.1\r\nHost: edge.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    b'DELETE /d HTTP/1.1\r\nHost: EDGE.test:80\r\nIf-Match: "1"\r\nVia: 1.1 x\r\n\r\n',
    b"GET /body HTTP/1.1\r\nHost: edge.test\r\nContent-Length: 4\r\n\r\nbody",
]
RESPONSES = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nCache-Control: max-age=9\r\n\r\nhello",
    (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nAge: 1\r\n\r\n2\r\nhe\r\n3;x\r\nllo\r\n"
        b"0\r\nX-Trailer: t\r\n\r\n"
    ),
    b"HTTP/1.0 200 OK\r\nDate: Wed, 18 Nov 2020 10:00:00 GMT\r\n\r\nuntil the end",
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nVary: *\r\n\r\n",
    b'HTTP/1.1 304 Not Modified\r\nETag: W/"2"\r\nContent-Length: 50\r\n\r\n',
    b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/9\r\nContent-Length: 2\r\n\r\nab",
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
]
VALUES = [
    *(b"max-age=60", b"s-maxage=10, private", b'no-cache="set-cookie"', b'public, max-age="7"'),
    *(b"stale-while-revalidate=30, stale-if-error=9", b"must-understand, no-store", b"max-age=-1"),
    *(b"Wed, 18 Nov 2020 10:00:00 GMT", b"Wednesday, 18-Nov-20 10:00:00 GMT", b"0"),
    *(b"Wed Nov 18 10:00:00 2020", b"bytes=0-5", b"bytes=-3, 4-, 1-2", b"bytes 0-1/9", b"none"),
    *(b'"tag"', b'W/"weak"', b"*", b"gzip;q=0.5, br;q=1.0, *;q=0", b"tr-TR,tr;q=0.9,de;q=0.8"),
    *(b"Accept-Encoding, Accept-Language", b"https://edge.test/x?y#z", b"//other.test/", b"../b"),
    *(b"max-age=604800;x=1, immutable", b'content="ESI/1.0", max-age=9+60', b"a b c a", b"17, 18"),
    *(b"/v/abc/main.m3u8?CMCD=bl%3D1&a=1", b"/a?CMCD=&CMCD=x&b=CMCD=", b"filename ZGFuY2UubXA0,is"),
]
NAMES = [
    *(b"cache-control", b"cdn-cache-control", b"surrogate-control", b"surrogate-key", b"pragma"),
    *(b"date", b"expires", b"age", b"last-modified", b"etag", b"vary", b"location", b"warning"),
    *(b"content-location", b"content-length", b"content-range", b"content-type", b"set-cookie"),
    *(b"range", b"if-range", b"if-match", b"if-none-match", b"if-modified-since", b"authorization"),
    *(b"if-unmodified-since", b"accept-encoding", b"accept-language", b"cookie", b"connection"),
]
ODD = [
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b"\r\n\r\n",
        b"\x00",
        b" ",
        b"\t",
        b":",
        b",",
        b";",
        b'"',
        b"\\",
        b"=",
    ),
    *(b"\xff", b"\x80", b"\x0b", b"\x7f", b"0", b"9" * 25, b"-1", b"+1", b"%00", b"#", b"?", b"//"),
    *(b"chunked", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"Host: x\r\n"),
    *(
        b"HTTP/1.1",
        b"HTTP/1.0",
        b"HTTP/2.0",
        b"Connection: close\r\n",
        b" folded\r\n",
        b"0\r\n\r\n",
    ),
]


def mutated(draw: random.Random, corpus: list[bytes], edits_max: int = 4) -> bytes:
    """One of `corpus`, or several spliced, after up to so many small accidents."""
    data = bytearray(draw.choice(corpus))
    for _ in range(draw.randrange(edits_max + 1)):
        at, to = sorted(draw.randrange(len(data) + 1) for _ in range(2))
        match draw.randrange(7):
            case 0:
                data[at:at] = draw.choice(ODD)
            case 1:
                data[at : min(to, at + 8)] = b""
            case 2:
                data[at:to] = data[at:to] * 2
            case 3:
                data[at : at + 1] = bytes([draw.randrange(256)])
            case 4:
                data[at : at + 1] = data[at : at + 1].swapcase()
            case 5:
                other = draw.choice(corpus)
                data[at:] = other[draw.randrange(len(other) + 1) :]
            case 6:
                data[at : at + 1] = draw.choice(ODD)
    return bytes(data)


def chunked_anyhow(draw: random.Random, data: bytes) -> list[bytes]:
    """The same bytes in pieces: all at once, byte by byte, or cut in some places."""
    match draw.randrange(3):
        case 0:
            return [data[at : at + 1] for at in range(len(data))]
        case 1:
            return [data]
    cuts = sorted({0, len(data), *(draw.randrange(len(data) + 1) for _ in range(6))})
    return [data[one:other] for one, other in itertools.pairwise(cuts)]


def fields(draw: random.Random, count_max: int = 7) -> tuple[tuple[bytes, bytes], ...]:
    """Field lines with values of each other, mutated."""
    return tuple(
        (draw.choice(NAMES), mutated(draw, VALUES, 2).strip(b" \t"))
        for _ in range(draw.randrange(count_max + 1))
    )
