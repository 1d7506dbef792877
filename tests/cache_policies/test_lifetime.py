"""How long a response stays fresh: explicit before heuristic, the stricter of two."""

import pytest

from cache_policies.lifetime import lifetime_s
from cache_policies.policy import CachePolicy
from cache_policies.targeted import response_directives
from tests.support.responses import NOW_WALL, response
from tests.support.table import table


@pytest.mark.parametrize(
    "case",
    table("""
    status  response                                 lifetime_s  source
    200     cc: max-age=60                           60          9111 §5.2.2.1
    200     cc: max-age=60, s-maxage=10              10          9111 §4.2.1
    200     cc: s-maxage=90 | expires: @5            90          9111 §4.2.1
    200     cc: max-age=60 | expires: @5             60          9111 §5.3
    200     cc: max-age=x | expires: @50             0           9111 §4.2.1
    200     cc: public | expires: @50                50          9111 §4.2.1
    200     expires: @50                             50          9111 §5.3
    200     expires: @-50                            0           9111 §5.3
    200     expires: @50 | expires: @20              20          9111 §4.2.1
    200     expires: @50 | expires: 0                0           9111 §4.2.1
    200     expires: 0                               0           9111 §5.3
    200     expires:                                 0           9111 §5.3
    200     expires: @9999999999                     2147483648  9111 §1.2.2
    200     cc: max-age=9 | cdn-cc: max-age=70       70          9213 §2.2
    200     cdn-cc: max-age=70, s-maxage=80          80          9213 §2.2
    200     expires: @50 | cdn-cc: public            0           9213 §2.2
    200     expires: @50 | sc: max-age=7             7           Edge Arch. §2.2
    200     last-modified: @-1000                    100         9111 §4.2.2
    200     last-modified: @-99999999                86400       9111 §4.2.2
    200     last-modified: @1000                     0           9111 §4.2.2
    200     last-modified: yesterday                 0           9111 §4.2.2
    200     last-modified: @-1000 | set-cookie: a=1  0           no guess for a cookie
    404     last-modified: @-1000                    100         9110 §15.1
    302     last-modified: @-1000                    0           9111 §4.2.2
    302     last-modified: @-1000 | cc: public       100         9111 §4.2.2
    200     -                                        0           9111 §4.2
    """),
    ids=str,
)
def test_lifetime(case):
    head = response(case["response"], status=int(case["status"]))
    found_s = lifetime_s(head, response_directives(head), NOW_WALL, CachePolicy())
    assert found_s == pytest.approx(float(case["lifetime_s"]), abs=0.9)


def test_an_operator_may_turn_guessing_off():
    head = response("last-modified: @-1000")
    policy = CachePolicy(heuristic_fraction=0.0)
    assert lifetime_s(head, response_directives(head), NOW_WALL, policy) == 0.0


@pytest.mark.parametrize(
    "case",
    table("""
    policy           status  response               lifetime_s  source
    ttl_s=7          200     cc: max-age=60         7           instead of what it says
    ttl_s=7          200     -                      7           instead of nothing
    ttl_s=7          500     -                      7           on any status
    ttl_default_s=7  200     cc: max-age=60         60          where it says nothing
    ttl_default_s=7  200     last-modified: @-1000  7           before a guess
    ttl_default_s=7  200     -                      7           where it says nothing
    ttl_default_s=7  200     set-cookie: a=1        0           where one may guess
    ttl_default_s=7  500     -                      0           where one may guess
    ttl_min_s=7      200     cc: max-age=0          7           stated
    ttl_min_s=700    200     last-modified: @-1000  700         guessed
    ttl_min_s=7      200     -                      0           neither
    ttl_max_s=7      200     cc: max-age=60         7           stated
    ttl_max_s=7      200     last-modified: @-1000  7           guessed
    """),
    ids=str,
)
def test_an_operator_may_bend_a_lifetime(case):
    knob, _, value = case["policy"].partition("=")
    head = response(case["response"], status=int(case["status"]))
    policy = CachePolicy(**{knob: float(value)})
    found_s = lifetime_s(head, response_directives(head), NOW_WALL, policy)
    assert found_s == float(case["lifetime_s"])
