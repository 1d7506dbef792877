"""Request heads: the quick reading takes nothing that the strict one would refuse."""

import httptools
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge.heads import (
    Context,
    Facts,
    KnownLines,
    is_target,
    origin_form,
    read_facts,
    read_fields,
)
from edge.refusals import RefusedHeadError

LINES = [
    b"Host: a.test",
    b"host:a.test:80",
    b"HOST: \t[::1]:8080 ",
    b"Host: a b",
    b"Host:",
    b"Accept: */*",
    b"Accept-Encoding: gzip, br",
    b"X-Empty:",
    b"X-Tab: a\tb",
    b"X-High: \xc3\xa9",
    b"X-Nul: \x00",
    b"X-Bell: \x07",
    b"X-Delete: \x7f",
    b"X Space: a",
    b"X-Space : a",
    b" folded",
    b"NoColon",
    b": nameless",
    b"Range: bytes=0-1",
    b'If-None-Match: "x"',
    b"Connection: keep-alive",
    b"Connection: close",
    b"Cookie: a=1; b=2",
    b"Content-Length: 3",
    b"Content-Length: x",
    b"Transfer-Encoding: chunked",
    b"Upgrade: h2c",
    b"Authorization: Bearer x",
    b"X-Bare\rReturn: 1",
    b"X-Bare: line\nFeed: 1",
]
HEADS = st.lists(
    st.one_of(st.sampled_from(LINES), st.binary(max_size=12).filter(lambda b: b"\r\n" not in b)),
    max_size=8,
)


class Parsed:
    """What the parser makes of a head."""

    def __init__(self, head: bytes) -> None:
        self.fields: list[tuple[bytes, bytes]] = []
        self.complete = False
        httptools.HttpRequestParser(self).feed_data(head)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower(), value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        self.complete = True


def quickly(known: KnownLines, tail: bytes) -> Facts | None:
    return known.facts(tail, tail[2:-4].split(b"\r\n"), b"GET", b"http")


def strictly(tail: bytes) -> Facts:
    context = Context(b"GET", b"1.1", b"http", b"server")
    return read_facts(tail, read_fields(tail[2:-4].split(b"\r\n")), context)


@given(HEADS)
@example([b"Host: a.test", b"Range: bytes=0-1"])
@example([b"Host: a.test", b"Host: a.test"])
def test_quickly_read_heads_are_those_that_the_parser_accepts(lines):
    tail = b"\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n"
    known = KnownLines(lines_max=8)
    for _ in range(2):  # once learning, once knowing
        quick = quickly(known, tail)
        if quick is None:
            continue
        parsed = Parsed(b"GET / HTTP/1.1" + tail)
        assert parsed.complete
        assert quick.fields == tuple(parsed.fields)
        strict = strictly(tail)
        assert strict.plain
        for name in ("fields", "host", "prefix", "selecting", "keep_alive", "version"):
            assert getattr(quick, name) == getattr(strict, name)


@pytest.mark.parametrize(
    "line", [b"Host: a", b"Range: bytes=0-", b"Accept: */*", b"Connection: keep-alive"]
)
def test_plain_lines_are_read_quickly(line):
    tail = b"\r\nHost: a\r\n" + (b"" if line.startswith(b"Host") else line + b"\r\n") + b"\r\n"
    facts = quickly(KnownLines(), tail)
    assert facts is not None
    assert facts.prefix == b"http://a"


def test_known_lines_are_bounded():
    known = KnownLines(lines_max=10)
    for number in range(100):
        assert quickly(known, b"\r\nHost: h%d\r\nX: %d\r\n\r\n" % (number, number))
        assert len(known._known) <= 10
        assert len(known._prefixes) <= 10
    long = b"\r\nHost: a\r\nX: " + b"x" * 2000 + b"\r\n\r\n"
    quickly(known, long)
    assert all(len(line) < 600 for line in known._known)


TARGETS = [  # as sent, host, as keyed; None is refused
    (b"/", b"a", b"/"),
    (b"/a%2F?b#c", b"a", None),
    (b"/a b", b"a", None),
    (b"/a\x7f", b"a", None),
    (b"/\xc3\xa9", b"a", b"/\xc3\xa9"),
    (b"http://a/x?y", b"a", b"/x?y"),
    (b"HTTP://A/x", b"a", b"/x"),
    (b"https://a/x", b"a", None),
    (b"http://a", b"a", b"/"),
    (b"http://a?q", b"a", b"/?q"),
    (b"http://b/x", b"a", None),
    (b"http://u@a/x", b"a", None),
    (b"ftp://a/x", b"a", None),
    (b"a:80", b"a", None),
    (b"*", b"a", None),
]


@pytest.mark.parametrize(("target", "host", "wanted"), TARGETS)
def test_targets(target, host, wanted):
    facts = strictly(b"\r\nHost: " + host + b"\r\n\r\n")
    if wanted is None:
        with pytest.raises(RefusedHeadError):
            origin_form(b"GET", target, facts)
    else:
        assert origin_form(b"GET", target, facts) == wanted
        assert is_target(wanted)
    assert origin_form(b"OPTIONS", b"*", facts) == b"*"
