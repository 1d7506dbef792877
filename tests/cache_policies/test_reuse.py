"""A request's own directives only narrow what it gets, unless policy lets max-stale widen it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_policies.freshness import judge
from cache_policies.policy import CachePolicy
from cache_policies.reuse import Verdict, may_reuse, only_if_cached, stale_if_error_asked_s
from cache_policies.why import Reuse, Why
from tests.support.responses import NOW_MONO, POLICY, request, stored
from tests.support.table import table

REUSES = {  # any other reason demands validation
    Why.FRESH: Reuse.FRESH,
    Why.STALE_WHILE_REVALIDATE: Reuse.STALE_WHILE_REVALIDATE,
    Why.REQUEST_MAX_STALE: Reuse.STALE_ALLOWED,
}
HEEDLESS = CachePolicy(request_directives=False)
LENIENT = CachePolicy(request_max_stale_s=20.0)


@pytest.mark.parametrize(
    "case",
    table("""
    response                     request               age_s  why                     source
    max-age=60                   -                     59     fresh                   9111 §4.2
    max-age=60                   no-cache              1      request-no-cache        9111 §5.2.1.4
    max-age=60                   no-transform          1      fresh                   9111 §5.2.1.6
    max-age=60                   max-age=30            30     fresh                   9111 §5.2.1.1
    max-age=60                   max-age=30            31     request-max-age         9111 §5.2.1.1
    max-age=60                   max-age=0             1      request-max-age         9111 §5.2.1.1
    max-age=60                   max-age=junk          1      request-max-age         9111 §4.2.1
    max-age=60                   max-age=90            70     request-max-age         9111 §5.2.1.1
    max-age=60, immutable        max-age=0             1      fresh                   8246 §2
    max-age=60, immutable        no-cache              1      request-no-cache        8246 §2
    max-age=60, immutable        min-fresh=60          1      request-min-fresh       9111 §5.2.1.3
    max-age=60, immutable        max-age=99            60     request-max-age         8246 §2
    max-age=60, immutable        -                     60     ttl                     8246 §2
    max-age=60                   min-fresh=10          50     fresh                   9111 §5.2.1.3
    max-age=60                   min-fresh=11          50     request-min-fresh       9111 §5.2.1.3
    max-age=60                   -                     60     ttl                     9111 §4.2.4
    max-age=60                   max-stale=10          65     request-max-stale       9111 §5.2.1.2
    max-age=60                   max-stale=10          71     ttl                     9111 §5.2.1.2
    max-age=60                   max-stale             75     request-max-stale       9111 §5.2.1.2
    max-age=60                   max-stale             85     ttl                     policy's limit
    max-age=60                   max-stale=99          85     ttl                     policy's limit
    max-age=60                   max-stale=x           61     ttl                     9111 §1.2.2
    max-age=60, must-revalidate  max-stale             61     ttl                     9111 §5.2.2.2
    s-maxage=60                  max-stale             61     ttl                     9111 §5.2.2.10
    max-age=60, no-cache         max-stale             1      no-cache                9111 §5.2.2.4
    max-age=60                   max-age=99,max-stale  65     request-max-stale       9111 §5.2.1.1
    max-age=60, swr=30           -                     65     stale-while-revalidate  5861 §3
    max-age=60, swr=30           max-age=99            65     request-max-age         9111 §5.2.1.1
    max-age=60, swr=30           max-stale=1           65     stale-while-revalidate  5861 §3
    max-age=60, swr=30           only-if-cached        65     stale-while-revalidate  9111 §5.2.1.7
    """),
    ids=str,
)
def test_may_reuse(case):
    entry = stored("cache-control: " + case["response"])
    asked = request("cache-control: " + case["request"] if case["request"] else "")
    verdict = may_reuse(asked, entry, LENIENT, NOW_MONO + float(case["age_s"]))
    assert verdict == Verdict(REUSES.get(Why(case["why"]), Reuse.EXPIRED), Why(case["why"]))


def test_max_stale_is_honoured_as_far_as_the_response_allows_by_default():
    asked = request("cache-control: max-stale")
    far_mono = NOW_MONO + 1e6
    lasting = stored("cache-control: max-age=60")
    assert may_reuse(asked, lasting, POLICY, far_mono).reuse is Reuse.STALE_ALLOWED
    strict = stored("cache-control: max-age=60, must-revalidate")
    assert may_reuse(asked, strict, POLICY, far_mono).reuse is Reuse.EXPIRED


def test_an_operator_may_ignore_what_requests_want():
    asked = request("cache-control: no-cache")
    entry = stored("cache-control: max-age=60")
    assert may_reuse(asked, entry, HEEDLESS, NOW_MONO).reuse is Reuse.FRESH


def test_only_if_cached():
    wants = request("cache-control: max-stale, ONLY-IF-CACHED")
    assert only_if_cached(wants, POLICY)
    assert not only_if_cached(wants, HEEDLESS)
    assert not only_if_cached(request("cache-control: x=only-if-cached"), POLICY)


def test_how_stale_a_request_takes_an_answer_in_place_of_an_error():
    asked = request("cache-control: stale-if-error=60, stale-if-error=50")
    assert stale_if_error_asked_s(asked, POLICY) == 50.0
    assert stale_if_error_asked_s(asked, HEEDLESS) == 0.0
    assert stale_if_error_asked_s(request("cache-control: stale-if-error"), POLICY) == 0.0
    assert stale_if_error_asked_s(request(), POLICY) == 0.0


WORDS = st.sampled_from(["no-cache", "max-age=50", "min-fresh=5", "no-store", "x=1", "max-age="])


@given(st.lists(WORDS).map(", ".join), st.floats(0, 200))
def test_without_max_stale_a_request_only_narrows(line, resident_s):
    entry = stored("cache-control: max-age=60, stale-while-revalidate=30")
    now_mono = NOW_MONO + resident_s
    verdict = may_reuse(request(f"cache-control: {line}"), entry, LENIENT, now_mono)
    assert verdict.reuse in (judge(entry, now_mono), Reuse.EXPIRED)
