"""Dates in three forms; everything else is no date."""

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_policies.dates import parse_date
from tests.support.table import table

NOW = 1_700_000_000.0  # November 2023


@pytest.mark.parametrize(
    "case",
    table("""
    date                             unix          source
    Sun, 06 Nov 1994 08:49:37 GMT    784111777     9110 §5.6.7
    Sunday, 06-Nov-94 08:49:37 GMT   784111777     9110 §5.6.7
    Sun Nov _6 08:49:37 1994         784111777     9110 §5.6.7
    Mon Nov 16 08:49:37 1994         784975777     9110 §5.6.7
    Friday, 06-Nov-73 08:49:37 GMT   3277183777    9110 §5.6.7 not over 50 years ahead
    Tuesday, 06-Nov-74 08:49:37 GMT  152959777     9110 §5.6.7
    Sat, 31 Dec 2016 23:59:60 GMT    1483228800    9110 §5.6.7 leap second
    Xyz, 06 Nov 1994 08:49:37 GMT    784111777     a weekday is not checked
    sun, 06 nov 1994 08:49:37 gmt    784111777     9111 §4.2 any case
    SUNDAY, 06-NOV-94 08:49:37 gMT   784111777     9111 §4.2 any case
    sun nov _6 08:49:37 1994         784111777     9111 §4.2 any case
    Sun, 06 Nov 1994 08:49:37 AEST   -             9111 §4.2 no other zone
    Sun, 06-Nov-1994 08:49:37 GMT    -             9110 §5.6.7
    Sun, 06 Nov 94 08:49:37 GMT      -             9110 §5.6.7 four digits
    Sun 06 Nov 1994 08:49:37 GMT     -             9110 §5.6.7 a comma
    Sun, 06 _Nov 1994 08:49:37 GMT   -             9110 §5.6.7 one space
    Sun, 06 Nov 1994 08.49.37 GMT    -             9110 §5.6.7
    Sun, 06 Nov 1994 8:49:37 GMT     -             9110 §5.6.7 two digits
    Tue, 19 Jan 2038 14:14:08 GMT    2147523248    beyond 31 bits
    Sun, 21 Nov 2286 04:46:39 GMT    10000039599   beyond 33 bits
    Fri, 31 Dec 9999 23:59:59 GMT    253402300799  the last one
    Sun, 06 Nov 1994 08:49:37 +0000  -             9110 §5.6.7
    Sun, 06 Nov 1994 08:49:37 UTC    -             9110 §5.6.7
    Sun, 31 Feb 1994 08:49:37 GMT    -             no such day
    Sun, 06 Foo 1994 08:49:37 GMT    -             no such month
    Sun, 06 Nov 0000 08:49:37 GMT    -             no such year
    Sun, 06 Nov 1994 08:49:61 GMT    -             no such second
    Sun, 6 Nov 1994 08:49:37 GMT     -             9110 §5.6.7 two digits
    0                                -             9111 §5.3
    """),
    ids=str,
)
def test_parse_date(case):
    assert parse_date(case["date"].replace("_", " ").encode(), NOW) == (
        float(case["unix"]) if case["unix"] else None
    )


def test_a_two_digit_year_may_lie_in_the_next_century():
    in_2099 = 4_080_000_000.0
    assert parse_date(b"Friday, 06-Nov-10 00:00:00 GMT", in_2099) == 4444675200.0


def test_no_value_is_no_date():
    assert parse_date(None, NOW) is None


@given(st.integers(0, 4_000_000_000))
def test_render_then_parse_is_identity(moment):
    assert parse_date(formatdate(moment, usegmt=True).encode(), NOW) == moment


@given(st.binary(max_size=40))
def test_junk_never_raises(value):
    parse_date(value, NOW)
