"""Heads know their fields; hop-by-hop ones stay behind."""

from cache_policies.message import RequestHead, ResponseHead, end_to_end, list_members
from tests.support.table import fields


def test_lines_of_one_name_combine_in_order():
    lines = fields("vary: a | x: 1 | vary: b")
    for head in (RequestHead(b"GET", b"http", b"h", b"/", lines), ResponseHead(200, lines)):
        assert head.get(b"vary") == b"a, b"
        assert head.all(b"vary") == [b"a", b"b"]
        assert head.get(b"none") is None
        assert head.all(b"none") == []


def test_list_members_skip_the_empty_ones():
    assert list_members(b" a ,,\tb, ") == [b"a", b"b"]


def test_end_to_end_drops_what_the_standard_and_connection_name():
    given = fields("Connection: X-Hop, close | x-hop: 1 | te: trailers | etag: q | upgrade: h2c")
    assert end_to_end(given) == fields("etag: q")
    assert end_to_end(fields("keep-alive: 5 | a: 1")) == fields("a: 1")
