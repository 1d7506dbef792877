"""An unsafe request that succeeded makes its resource, and what it names, doubtful."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_policies.invalidation import invalidated_keys
from tests.support.responses import request, response
from tests.support.table import table


@pytest.mark.parametrize(
    "case",
    table("""
    method    status  response                       keys           source
    POST      200     -                              /a/b?c         9111 §4.4
    PUT       302     -                              /a/b?c         9111 §4.4
    BREW      200     -                              /a/b?c         9111 §4.4 unknown method
    POST      404     -                              -              9111 §4.4
    POST      500     -                              -              9111 §4.4
    GET       200     location: /x                   -              9110 §9.2.1
    HEAD      200     -                              -              9110 §9.2.1
    REPORT    200     -                              -              3253 §3.6 safe
    QUERY     200     -                              -              safe, as registered
    M-SEARCH  200     -                              /a/b?c         9111 §4.4 not known as safe
    OPTIONS   200     -                              -              9110 §9.2.1
    POST      201     location: /x?y=1               /a/b?c /x?y=1  9111 §4.4
    POST      201     location: x                    /a/b?c /a/x    9110 §10.2.2 relative
    POST      201     location: http://H:80/x        /a/b?c /x      9110 §4.2.3
    POST      201     location: http://h             /a/b?c /       9110 §4.2.3
    POST      201     location: //h/x                /a/b?c /x      9110 §10.2.2
    POST      201     location: https://h/x          /a/b?c         9111 §4.4 other origin
    POST      201     location: http://other/x       /a/b?c         9111 §4.4 other origin
    POST      201     location: http://h:99999/      /a/b?c         no such port
    POST      201     location: http://[             /a/b?c         no such host
    POST      200     at: /x | location: /y          /a/b?c /y /x   9111 §4.4
    POST      200     location: /a/b?c               /a/b?c         once
    POST      200     location: /x?CMCD=bl%3D1#part  /a/b?c /x      the key's own form
    """),
    ids=str,
)
def test_invalidated_keys(case):
    asked = request(method=case["method"], target="/a/b?c")
    keys = invalidated_keys(asked, response(case["response"], status=int(case["status"])))
    assert [key.removeprefix(b"http://h").decode() for key in keys] == case["keys"].split()


@given(st.text().map(lambda text: text.encode()))
def test_any_location_is_survived(value):
    answered = response(status=200)
    answered = type(answered)(200, ((b"location", value),))
    assert b"http://h/a" in invalidated_keys(request(method="POST"), answered)
