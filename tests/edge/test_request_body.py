"""A body comes out of its framing alike, however its bytes are cut."""

from itertools import pairwise

import httptools
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge.refusals import RefusedHeadError
from edge.request_body import RequestBody

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKS = st.lists(
    st.tuples(
        st.binary(min_size=1, max_size=40),
        st.sampled_from([b"", b";a", b";a=b;c", b';a="b\\"";c=d']),
    )
)
CUTS = st.lists(st.integers(0, 400), max_size=8)
JUNK = st.lists(
    st.sampled_from(
        [
            b"\r\n",
            b"0",
            b"2",
            b"a",
            b";",
            b"=",
            b'"',
            b"\\",
            b"x",
            b"\n",
            b"\r",
            b": ",
            b" ",
            b"\x00",
        ]
    )
).map(b"".join)


def framed(chunks: list[tuple[bytes, bytes]], trailers: bytes = b"") -> bytes:
    pieces = [b"%x%b\r\n%b\r\n" % (len(data), extension, data) for data, extension in chunks]
    return b"".join(pieces) + b"0\r\n" + trailers + b"\r\n"


def read(reader: RequestBody, data: bytes, cuts: list[int]) -> tuple[bytes, bytes]:
    """What the body is, and what comes after it."""
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    body = rest = b""
    for begin, end in pairwise(edges):
        if reader.complete:
            rest += data[begin:end]
        else:
            piece, rest = reader.feed(data[begin:end])
            body += piece
    return body, rest


@given(CHUNKS, CUTS, st.sampled_from([b"", b"X: y\r\n", b"X: y\r\nZ:\r\n"]), st.binary(max_size=9))
def test_chunked_in_any_cut(chunks, cuts, trailers, after):
    reader = RequestBody(None)
    body, rest = read(reader, framed(chunks, trailers) + after, cuts)
    assert reader.complete
    assert (body, rest) == (b"".join(data for data, _ in chunks), after)


@given(st.binary(max_size=50), CUTS, st.binary(max_size=9))
def test_measured_in_any_cut(data, cuts, after):
    reader = RequestBody(len(data))
    assert read(reader, data + after, cuts) == (data, after)
    assert reader.complete


class Heard:
    def __init__(self) -> None:
        self.body = b""
        self.complete = False

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True


@given(JUNK)
@example(b"0;\r\n")
@example(b'0;a="\r\n')
def test_what_is_taken_the_parser_takes_alike(data):
    reader = RequestBody(None)
    try:
        body, rest = reader.feed(data)
    except RefusedHeadError:
        return
    if reader._line:  # it is not decided yet
        return
    heard = Heard()
    httptools.HttpRequestParser(heard).feed_data(HEAD + data[: len(data) - len(rest)])
    assert (body, reader.complete) == (heard.body, heard.complete)


def test_lines_without_end_are_refused_while_they_come():
    reader = RequestBody(None)
    for _ in range(256):
        reader.feed(b"0")
    with pytest.raises(RefusedHeadError, match="chunk-extensions"):
        reader.feed(b"0")
