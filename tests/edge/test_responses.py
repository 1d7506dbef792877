"""Responses of an upstream, in any chunking."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.responses import ResponseReader

HEAD_MAX = 65_536
WHOLE = {  # bytes of a response: (status, body, keep-alive)
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: b\r\n\r\nhello": (200, b"hello", True),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n": (
        200,
        b"hello",
        True,
    ),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nTrailer: t\r\n\r\n": (
        200,
        b"x",
        True,
    ),
    b"HTTP/1.1 204 No Content\r\n\r\n": (204, b"", True),
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n": (304, b"", True),
    b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx": (
        200,
        b"x",
        True,
    ),
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok": (200, b"ok", False),
    b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok": (200, b"ok", False),
}
BROKEN = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"SSH-2.0-OpenSSH\r\n",
    b"HTTP/1.1 000 Nothing\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 099 Too Little\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nA: " + b"x" * HEAD_MAX,
]


def read(data: bytes, cuts: list[int], method: bytes = b"GET") -> ResponseReader:
    reader = ResponseReader(method, HEAD_MAX)
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for begin, end in itertools.pairwise(edges):
        if begin < end:
            reader.feed(data[begin:end])
    return reader


def body(reader: ResponseReader) -> bytes:
    pieces = []
    while reader.pieces:
        pieces.append(reader.take())
    return b"".join(pieces)


@given(st.sampled_from(sorted(WHOLE)), st.lists(st.integers(0, 200), max_size=8))
def test_any_chunking_reads_alike(data, cuts):
    reader = read(data, cuts)
    assert reader.complete
    assert reader.error is None
    assert (reader.status, body(reader), reader.keep_alive) == WHOLE[data]
    assert reader.held_bytes == 0


@given(st.sampled_from(sorted(WHOLE)), st.integers(0, 200), st.booleans())
def test_a_cut_is_never_complete(data, cut, clean):
    reader = read(data[: cut % len(data)], [])
    reader.end_of_stream(clean=clean)
    assert not reader.complete


@given(st.sampled_from(BROKEN), st.lists(st.integers(0, 200), max_size=8))
def test_what_is_not_http_is_an_error(data, cuts):
    reader = read(data, cuts)
    assert reader.error is not None
    assert not reader.complete


def test_a_head_response_has_no_body():
    reader = read(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", [], b"HEAD")
    assert reader.complete
    assert reader.keep_alive


@pytest.mark.parametrize("clean", [True, False])
def test_a_body_until_the_end_of_the_connection(clean):
    reader = read(b"HTTP/1.1 200 OK\r\n\r\nsome", [3, 18])
    assert not reader.complete
    reader.end_of_stream(clean=clean)
    assert (reader.complete, body(reader), reader.keep_alive) == (clean, b"some", False)


def test_more_than_was_asked_for_ends_the_connection():
    reader = read(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n", [])
    assert (reader.complete, reader.keep_alive) == (True, False)


@pytest.mark.parametrize(
    "body",
    [b"Content-Length: 5\r\n\r\nhello", b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"],
)
def test_a_body_that_answers_head_ends_the_connection(body):
    """What is left of it would be the beginning of the next answer there."""
    reader = ResponseReader(b"HEAD", HEAD_MAX)
    reader.feed(b"HTTP/1.1 200 OK\r\n" + body)
    assert (reader.complete, reader.keep_alive) == (True, False)
