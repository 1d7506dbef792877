"""A token's prefix can be left by no spelling that some origin reads as another path."""

import re
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cache_policies.access_path import PREFIX_BYTES_MAX, is_prefix, is_strict, is_within
from tests.support.table import table

PREFIX = b"/v/abc/"
PIECES = st.sampled_from(
    b"/ // . .. ... /../ /./ %2e %2E %2f %2F %5c \\ %25 %252e ; ..; %00 %c0%ae %C3%A9 %zz % a "
    b"b.m4s x/y ~ : @ v abc ?q=/../ # \xe9".split()
)
TAILS = st.lists(PIECES, max_size=8).map(b"".join)


@pytest.mark.parametrize(
    "case",
    table("""
    path                      strict  source
    /                         yes     root
    /v/abc/                   yes     directory
    /v/abc/main.m3u8          yes     3986 §3.3
    /v/a..b/c...d             yes     dots within a segment
    /v/a%20b/%C3%A9.mp4       yes     UTF-8
    /v/a;v=1/b,c              yes     parameters of a segment
    /v/~user/@b:c             yes     3986 §3.3 pchar
    -                         no      empty
    v/abc                     no      not absolute
    //v                       no      an empty segment: an authority to some
    /v//abc                   no      merged by some
    /v/.                      no      3986 §5.2.4
    /v/..                     no      3986 §5.2.4
    /v/../w                   no      3986 §5.2.4
    /v/./w                    no      3986 §5.2.4
    /v/.hidden                no      could be decorated dots
    /v/..;/w                  no      dots to who drops parameters
    /v/..%00/w                no      dots to who ends text there
    /v/%2e%2e/w               no      decoded dots
    /v/%2E%2e/w               no      case of the encoding
    /v/.%2e/w                 no      half of them decoded
    /v/a%2Fb                  no      a slash to some
    /v/a%2fb                  no      case of the encoding
    /v/a%5Cb                  no      a slash to others
    /v/a\\b                   no      a slash to others
    /v/%252e%252e/w           no      decoded twice
    /v/a%00b                  no      a control character
    /v/a%7fb                  no      a control character
    /v/%c0%ae%c0%ae/w         no      overlong dots
    /v/%e0%80%af              no      an overlong slash
    /v/%u002e                 no      no percent-encoding
    /v/100%                   no      cut off
    /v/a|b                    no      no pchar
    """),
    ids=str,
)
def test_is_strict(case):
    path = case["path"].replace("\\\\", "\\").encode()
    assert is_strict(path) is (case["strict"] == "yes")


@pytest.mark.parametrize("byte", range(256))
def test_no_byte_that_delimits_is_strict_when_encoded(byte):
    path = b"/v/abc/a%%%02x" % byte
    assert not is_strict(path) or bytes([byte]) not in b"./\\%" + bytes([*range(32), 127])


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (b"/", True),
        (PREFIX, True),
        (b"/v/abc", False),
        (b"", False),
        (b"v/", False),
        (b"/v/../", False),
        (b"/v//", False),
        (b"/" + b"a" * (PREFIX_BYTES_MAX - 2) + b"/", True),
        (b"/" + b"a" * (PREFIX_BYTES_MAX - 1) + b"/", False),
    ],
    ids=repr,
)
def test_is_prefix(text, is_one):
    assert is_prefix(text) is is_one


@pytest.mark.parametrize(
    ("target", "is_there"),
    [
        (b"/v/abc/", True),
        (b"/v/abc/1.m4s", True),
        (b"/v/abc/1.m4s?a=/../b", True),  # a query has no segments
        (b"/v/abc/?x", True),
        (b"/v/abc", False),
        (b"/v/abcd/1.m4s", False),
        (b"/v/%61bc/1.m4s", False),
        (b"/V/abc/1.m4s", False),
        (b"//v/abc/1.m4s", False),
    ],
    ids=repr,
)
def test_is_within(target, is_there):
    assert is_within(target, PREFIX) is is_there


def most_lenient(path: bytes) -> bytes:
    """A path as the worst of origins reads it."""
    for _ in range(3):
        path = unquote_to_bytes(path)
    path = path.replace(b"\xc0\xae", b".").replace(b"\\", b"/").partition(b"\0")[0]
    kept: list[bytes] = []
    for segment in re.sub(rb"/+", b"/", path).split(b"/"):
        match segment.partition(b";")[0]:
            case b"..":
                kept[1:] = kept[1:-1]
            case b".":
                pass
            case plain:
                kept.append(plain)
    return b"/".join(kept) + b"/"


@given(TAILS)
@example(b"..;/../x")
@example(b"a%2f..%2f..%2fw")
def test_nothing_within_a_prefix_leads_out_of_it(tail):
    if is_within(PREFIX + tail, PREFIX):
        path = (PREFIX + tail).partition(b"?")[0]
        assert most_lenient(path).startswith(PREFIX)


@given(TAILS, TAILS)
def test_what_is_within_two_prefixes_is_within_the_longer_one(one, other):
    target = b"/" + one + other
    for prefix in (b"/", b"/a/", b"/a/b/"):
        assert not is_within(target, prefix) or is_within(target, b"/")
