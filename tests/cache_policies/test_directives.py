"""Directives survive duplicates, quotes, junk, overflow, any case and several lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_policies.directives import (
    Directives,
    parse_cache_control,
    parse_delta,
    request_directives,
    response_directives,
    split_members,
)
from cache_policies.message import RequestHead, ResponseHead
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
    table(
        """
    cdn-cache-control                targeted  max-age  no-store  source
    max-age=5                    yes       5        no        9213 §2.2
    max-age=5 | no-store         yes       5        yes       9110 §5.3
    max-age=5;x=1, no-store;y    yes       5        yes       9213 §2.1 parameters are ignored
    max-age=5, max-age=7         yes       7        no        8941 §3.2 the last of a key
    max-age="5"                  yes       0        no        9213 §2.1 a string is no integer
    max-age=5.5                  yes       0        no        9213 §2.1
    max-age=-5                   yes       0        no        9111 §1.2.2
    no-store=?0, max-age=5       yes       5        no        8941 §3.3.6
    private=("a" "b"), a, max-age=5  yes  5  no  an inner list
    -                            no        60       yes       9213 §2.1 empty: ignored
    max-age=5,                   no        60       yes       9213 §2.1 malformed: ignored
    Max-Age=5                    no        60       yes       8941 §3.1.2 keys are lower-case
    max-age=5 no-store           no        60       yes       9213 §2.1 malformed: ignored
    """.replace("max-age=5 yes", "max-age=5  yes")
    ),
    ids=str,
)
def test_targeted_directives_come_first(case):
    lines = "cache-control: max-age=60, no-store" + "".join(
        f" | cdn-cache-control: {line}" for line in case["cdn-cache-control"].split("|")
    )
    directives = response_directives(ResponseHead(200, fields(lines)))
    assert directives.targeted == (case["targeted"] == "yes")
    assert directives.seconds(b"max-age") == int(case["max-age"])
    assert (b"no-store" in directives) == (case["no-store"] == "yes")


def test_an_inner_list_is_an_argument_of_no_use():
    head = ResponseHead(200, fields('cdn-cache-control: private=("a")'))
    assert response_directives(head) == Directives({b"private": (b"",)}, targeted=True)


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
