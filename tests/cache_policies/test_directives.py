"""Directives survive duplicates, quotes, junk, overflow, any case and several lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_policies.directives import (
    parse_cache_control,
    parse_delta,
    request_directives,
    split_members,
)
from cache_policies.message import RequestHead
from tests.support.table import fields, table


@pytest.mark.parametrize(
    "case",
    table("""
    lines                            max-age     no-store  source
    max-age=60                       60          no        9111 §5.2.2.1
    MAX-AGE=60, No-Store             60          yes       9111 §5.2 any case
    max-age="60"                     60          no        9111 §5.2 both forms
    max-age=60 | no-store            60          yes       9110 §5.3 several lines
    max-age=60, max-age=10           10          no        9111 §4.2.1 the stricter
    max-age=10 | max-age=60          10          no        9111 §4.2.1 the stricter
    max-age=60, max-age=x            0           no        9111 §4.2.1 junk is stale
    max-age=-1                       0           no        9111 §1.2.2
    max-age=+60                      0           no        9111 §1.2.2
    max-age=60.5                     0           no        9111 §1.2.2
    max-age=6_0                      0           no        9111 §1.2.2
    max-age= 60                      0           no        9111 §5.2 no space around =
    max-age =60                      0           no        9111 §5.2 no space around =
    max-age=                         0           no        9111 §4.2.1
    max-age                          0           no        9111 §4.2.1
    max-age="60                      0           no        an unclosed quote is junk
    max-age=0060                     60          no        9111 §1.2.2
    max-age=2147483647               2147483647  no        9111 §1.2.2
    max-age=2147483649               2147483648  no        9111 §1.2.2 saturates
    max-age=99999999999999999999999  2147483648  no        9111 §1.2.2 saturates
    ,, ,max-age=60,,no-store,        60          yes       9110 §5.6.1.2 empty members
    x="no-store, max-age=1"          -           no        9110 §5.6.4 quoted commas
    x="a\\", no-store", max-age=5    5           no        9110 §5.6.4 quoted pairs
    x="a, no-store                   -           yes       unclosed: read on, be strict
    no-store=1                       -           yes       an argument changes nothing
    no-storex, xmax-age=3            -           no        other names
    =, =5, no-store                  -           yes       nameless members
    -                                -           no        nothing said
    """),
    ids=str,
)
def test_parse_cache_control(case):
    lines = [line.strip().replace("\\\\", "\\").encode() for line in case["lines"].split("|")]
    directives = parse_cache_control(lines)
    assert directives.seconds(b"max-age") == (int(case["max-age"]) if case["max-age"] else None)
    assert (b"no-store" in directives) == (case["no-store"] == "yes")


def test_arguments_are_kept_as_they_stand():
    directives = parse_cache_control([rb'community="U\"C\I", max-stale, max-stale=5'])
    assert directives.arguments == {b"community": (b'U"CI',), b"max-stale": (None, b"5")}


@pytest.mark.parametrize(
    "case",
    table("""
    cache-control             fields  wholly  source
    private                   -       yes     9111 §5.2.2.7
    private="a"               a       no      9111 §5.2.2.7
    private="A, b"            a b     no      9111 §5.2.2.7 names have any case
    private=a                 a       no      9111 §5.2.2.7 both forms
    private="a", private="b"  a b     no      9110 §5.3
    private="a", private      -       yes     the stricter
    private="a" | private     -       yes     the stricter
    private=""                -       yes     an empty list limits nothing
    private="a b"             -       yes     junk limits nothing
    private="a                -       yes     an unclosed quote limits nothing
    private='a'               'a'     no      9110 §5.6.2 a token
    private =a                -       yes     9111 §5.2 no space around =
    no-cache="a"              -       no      another directive
    """),
    ids=str,
)
def test_a_directive_about_some_fields_only(case):
    lines = [line.strip().encode() for line in case["cache-control"].split("|")]
    directives = parse_cache_control(lines)
    assert directives.fields(b"private") == set(case["fields"].encode().split())
    assert directives.wholly(b"private") == (case["wholly"] == "yes")


def test_what_policy_ignores_was_never_sent():
    directives = parse_cache_control([b"max-age=5, no-store"])
    assert directives.without(frozenset({b"no-store"})) == parse_cache_control([b"max-age=5"])
    assert directives.without(frozenset({b"private"})) is directives


def test_pragma_says_nothing():
    request = RequestHead(b"GET", b"http", b"h", b"/", fields("pragma: no-cache"))
    assert b"no-cache" not in request_directives(request)


@given(st.integers(0, 2**31))
def test_delta_seconds_are_themselves(seconds):
    assert parse_delta(b"%d" % seconds) == seconds


@given(st.binary(max_size=60))
def test_splitting_keeps_every_byte(line):
    assert b",".join(split_members(line)) == line


@given(st.lists(st.text('abc=", \\', max_size=12).map(str.encode), max_size=4))
def test_a_line_that_says_no_store_plainly_is_heard(lines):
    assert b"no-store" in parse_cache_control([*lines, b"max-age=1, no-store"])
