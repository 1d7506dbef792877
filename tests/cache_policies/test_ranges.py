"""Single byte ranges, and the condition under which they hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_policies.ranges import (
    RANGES_MAX,
    UNSATISFIABLE,
    part_fields,
    parts,
    requested_parts,
    seek_offset,
    single_range,
)
from tests.support.responses import request, stored
from tests.support.table import fields, table


@pytest.mark.parametrize(
    "case",
    table("""
    range                            length  part           source
    bytes=0-4                        10      0-4            9110 §14.1.2
    bytes=0-0                        10      0-0            9110 §14.1.2
    bytes=4-                         10      4-9            9110 §14.1.2
    bytes=0-                         10      0-9            9110 §14.1.2
    bytes=8-99                       10      8-9            9110 §14.1.2
    bytes=8-99999999999999999999999  10      8-9            9110 §14.1.2
    bytes=-3                         10      7-9            9110 §14.1.2
    bytes=-99                        10      0-9            9110 §14.1.2
    bytes=-99999999999999999999999   10      0-9            9110 §14.1.2
    bytes=-0                         10      unsatisfiable  9110 §14.1.2
    bytes=10-                        10      unsatisfiable  9110 §14.1.2
    bytes=99999999999999999999999-   10      unsatisfiable  9110 §14.1.2
    bytes=0-                         0       unsatisfiable  9110 §14.1.2
    bytes=-5                         0       whole          no Content-Range can say it
    bytes=007-8                      10      7-8            9110 §14.1.2
    BYTES=1-2                        10      1-2            9110 §14.1 units have no case
    bytes= 1-2                       10      1-2            9110 §14.1.1 a list
    bytes=,1-2,                      10      1-2            9110 §5.6.1.2
    bytes=1-2,4-5                    10      whole          9110 §14.2 may be ignored
    bytes=2-1                        10      whole          9110 §14.1.1 invalid
    bytes=-                          10      whole          9110 §14.1.1 invalid
    bytes=                           10      whole          9110 §14.1.1 invalid
    bytes                            10      whole          9110 §14.1.1 invalid
    bytes=a-b                        10      whole          9110 §14.1.1 invalid
    bytes=1 -2                       10      whole          9110 §14.1.1 invalid
    bytes=+1-2                       10      whole          9110 §14.1.1 invalid
    seconds=1-2                      10      whole          9110 §14.2 unknown unit
    """),
    ids=str,
)
def test_single_range(case):
    part = single_range(case["range"].encode(), int(case["length"]))
    named = {None: "whole", UNSATISFIABLE: "unsatisfiable"}
    assert (named[part] if part in named else "{}-{}".format(*part)) == case["part"]


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 40))
def test_a_part_is_what_slicing_gives(first, last, length):
    body = bytes(range(length))
    part = single_range(b"bytes=%d-%d" % (first, last), length)
    if first > last:
        assert part is None
    elif first >= length:
        assert part is UNSATISFIABLE
    else:
        assert body[part[0] : part[1] + 1] == body[first : last + 1]


@given(st.binary(max_size=30).map(lambda tail: b"bytes=" + tail), st.integers(0, 30))
def test_junk_never_raises_and_a_part_lies_within(value, length):
    part = single_range(value, length)
    if isinstance(part, tuple):
        assert 0 <= part[0] <= part[1] < length


@pytest.mark.parametrize(
    "case",
    table("""
    request                             stored                        part   source
    range: bytes=1-2                    -                             1-2    9110 §14.2
    -                                   etag: "a"                     whole  9110 §14.2
    range: bytes=1-2 | if-range: "a"    etag: "a"                     1-2    9110 §13.1.5
    range: bytes=1-2 | if-range: "b"    etag: "a"                     whole  9110 §13.1.5
    range: bytes=1-2 | if-range: "a"    -                             whole  9110 §13.1.5
    range: bytes=1-2 | if-range: W/"a"  etag: W/"a"                   whole  9110 §13.1.5 strong
    range: bytes=1-2 | if-range: @-60   last-modified: @-60           1-2    9110 §13.1.5
    range: bytes=1-2 | if-range: @-30   last-modified: @-60           whole  9110 §13.1.5 exact
    range: bytes=1-2 | if-range: @0     last-modified: @0 | date: @0  whole  9110 §8.8.2.2 weak
    range: bytes=1-2 | if-range: junk   last-modified: junk           whole  9110 §13.1.5
    """),
    ids=str,
)
def test_requested_parts(case):
    part = requested_parts(request(case["request"]), stored(case["stored"]), 10)
    assert part == (None if case["part"] == "whole" else ((1, 2),))


@pytest.mark.parametrize(
    "case",
    table("""
    range                                       parts          source
    bytes=0-1,4-5                               0-1 4-5        9110 §14.1.2
    bytes=4-5,0-1                               4-5 0-1        9110 §15.3.7.2 as asked for
    bytes=4-5, ,0-1,                            4-5 0-1        9110 §5.6.1.2
    bytes=0-1,-2                                0-1 8-9        9110 §14.1.2
    bytes=0-4,2-6                               0-6            9110 §15.3.7.2 overlapping
    bytes=0-4,5-6                               0-6            9110 §15.3.7.2 touching
    bytes=8-9,2-3,0-4                           0-4 8-9        9110 §15.3.7.2 sorted once joined
    bytes=0-9,0-9,0-9                           0-9            9110 §17.15
    bytes=0-1,20-30                             0-1            9110 §14.2 the satisfiable ones
    bytes=20-30,40-50                           unsatisfiable  9110 §15.5.17
    bytes=0-1,x                                 whole          9110 §14.1.1 invalid
    bytes=0-1,3-2                               whole          9110 §14.1.1 invalid
    bytes=0-0,2-2,4-4,6-6,8-8                   0-0 2-2 4-4 6-6 8-8  9110 §14.1.2
    lines=0-1,4-5                               whole          9110 §14.2 unknown unit
    """),
    ids=str,
)
def test_parts(case):
    found = parts(case["range"].encode(), 10)
    named = {None: "whole", UNSATISFIABLE: "unsatisfiable"}
    said = named[found] if found in named else " ".join(f"{a}-{b}" for a, b in found)
    assert said == case["parts"]


def test_more_parts_than_anybody_needs_get_the_whole():
    members = [b"%d-%d" % (at, at) for at in range(0, 2 * RANGES_MAX + 2, 2)]
    assert len(parts(b"bytes=" + b",".join(members[:RANGES_MAX]), 99)) == RANGES_MAX
    assert parts(b"bytes=" + b",".join(members), 99) is None


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=RANGES_MAX),
    st.integers(1, 40),
)
def test_parts_are_what_was_asked_for_each_byte_once(asked, length):
    value = b"bytes=" + b",".join(b"%d-%d" % (min(each), max(each)) for each in asked)
    wanted = {at for each in asked for at in range(min(each), max(each) + 1) if at < length}
    found = parts(value, length)
    if not wanted:
        assert found is UNSATISFIABLE
    else:
        sent = [at for first, last in found for at in range(first, last + 1)]
        assert sorted(sent) == sorted(wanted)


def test_a_range_counts_for_get_of_a_200_only():
    assert requested_parts(request("range: bytes=1-2", method="HEAD"), stored(), 10) is None
    assert requested_parts(request("range: bytes=1-2"), stored(status=404), 10) is None


def test_what_a_stored_200_says_of_ranges_is_not_said_of_a_part():
    assert part_fields(fields("a: 1 | content-range: bytes 4-9/10")) == fields("a: 1")


@pytest.mark.parametrize(
    "case",
    table("""
    request                           first  source
    range: bytes=0-4                  0      9110 §14.1.2
    range: bytes=7-9                  7      9110 §14.1.2
    range: bytes=7-                   7      9110 §14.1.2
    range: bytes=7-9,1-2              7      9110 §14.1.2
    range: bytes=-5                   0      the length is found from the beginning
    range: bytes=0-                   whole  all there is
    range: bytes=00-                  whole  all there is
    range: bytes=-                    whole  9110 §14.1.1 invalid
    range: bytes=a-b                  whole  9110 §14.1.1 invalid
    range: bytes=                     whole  9110 §14.1.1 invalid
    range: lines=7-9                  whole  9110 §14.2 unknown unit
    -                                 whole  9110 §14.2
    """),
    ids=str,
)
def test_what_a_range_needs_first(case):
    first = seek_offset(request(case["request"]))
    assert ("whole" if first is None else str(first)) == case["first"]
    assert seek_offset(request(case["request"], method="HEAD")) is None
