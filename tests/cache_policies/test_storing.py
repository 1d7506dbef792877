"""Which responses a shared cache stores, and the reason when it does not."""

from ast import literal_eval

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_policies.policy import CachePolicy
from cache_policies.stored import Times
from cache_policies.storing import NoStore, Store, is_for_others, judge_storing
from cache_policies.why import Why
from tests.support.responses import POLICY, TIMES, request, response
from tests.support.table import table

REQUESTS = {
    "": "",
    "no-store": "cc: no-store",
    "authorized": "authorization: Basic eDp5",
    "range: x": "range: bytes=0-1",
}
STORED = table("""
    request     status  response                                  why               source
    -           200     cc: max-age=9                             stored            9111 §3
    -           200     expires: @60                              stored            9111 §3
    -           200     last-modified: @-1000                     stored            9111 §4.2.2
    -           200     etag: "a"                                 stored            9111 §3
    -           200     -                                         no-freshness      9111 §3
    -           200     cc: max-age=0                             no-freshness      9111 §4.2.1
    -           200     cc: max-age=0 | etag: "a"                 stored            9111 §4.3
    -           200     cc: no-cache                              no-cache          9111 §5.2.2.4
    -           200     cc: no-cache | etag: "a"                  stored            9111 §5.2.2.4
    -           200     cc: no-cache="x" | expires: @60           stored            9111 §5.2.2.4
    -           200     cc: max-age=9, no-cache="x", no-cache     no-cache          9111 §5.2.2.4
    -           200     cc: no-cache="" | expires: @60            no-cache          9111 §5.2.2.4
    -           200     cc: max-age=9, no-store                   no-store          9111 §5.2.2.5
    -           200     cc: max-age=9 | cc: no-store              no-store          9110 §5.3
    -           200     cc: max-age=9, private                    private           9111 §5.2.2.7
    -           200     cc: max-age=9, private="a"                stored            9111 §5.2.2.7
    -           200     cc: max-age=9, private="a", private       private           9111 §5.2.2.7
    -           200     cc: max-age=9, private="a b"              private           9111 §5.2.2.7
    -           200     cc: max-age=9 | set-cookie: a=1           stored            9111 §7.3
    -           200     last-modified: @-1000 | set-cookie: a=1   stored            9111 §4.3
    -           200     cc: max-age=9 | vary: a, *                vary-any          9111 §4.1
    -           200     cc: max-age=9 | age: 9                    no-freshness      9111 §4.2.3
    -           200     cc: max-age=9, swr=5 | age: 9             stored            5861 §3
    -           200     cc: max-age=9, sie=5 | age: 9             stored            5861 §4
    -           200     cc: s-maxage=9, sie=5 | age: 9            no-freshness      9111 §5.2.2.10
    -           200     cc: max-age=9 | date: @-9                 no-freshness      9111 §4.2.3
    no-store    200     cc: max-age=9                             request-no-store  9111 §5.2.1.5
    authorized  200     cc: max-age=9                             authorization     9111 §3.5
    authorized  200     cc: max-age=9, public                     stored            9111 §3.5
    authorized  200     cc: s-maxage=9                            stored            9111 §3.5
    authorized  200     cc: max-age=9, must-revalidate            stored            9111 §3.5
    authorized  200     cc: max-age=9, proxy-revalidate           authorization     9111 §3.5
    authorized  200     cc: public | cdn-cc: max-age=9            authorization     9213 §2.2
    -           200     cc: no-store | cdn-cc: max-age=9          stored            9213 §2.2
    -           200     cc: max-age=9 | cdn-cc: no-store          no-store          9213 §2.2
    -           200     expires: @60 | cdn-cc: must-revalidate    no-freshness      9213 §2.2
    -           200     cc: no-store | sc: max-age=9              stored            Edge Arch. §2.2
    -           200     cc: max-age=9 | sc: no-store              no-store          Edge Arch. §2.2
    range: x    206     cc: max-age=9                             partial           9111 §3.3
    -           200     cc: max-age=9 | content-range: x          stored            9110 §14.4
    range: x    200     cc: max-age=9                             stored            9110 §14.2
    -           304     cc: max-age=9                             status            9111 §3
    -           103     cc: max-age=9                             status            9111 §3
    -           404     last-modified: @-1000                     stored            9110 §15.1
    -           404     -                                         no-freshness      9111 §3
    -           404     cc: max-age=5                             stored            9111 §3
    -           302     etag: "a"                                 no-freshness      9110 §15.1
    -           302     etag: "a" | cc: public                    stored            9111 §5.2.2.9
    -           302     cc: max-age=9                             stored            9111 §3
    -           500     cc: max-age=9                             stored            9111 §3
    -           299     cc: max-age=9                             stored            9110 §15 unknown
    -           299     cc: max-age=9, must-understand            status            9111 §5.2.2.3
    -           200     cc: max-age=9, must-understand, no-store  stored            9111 §5.2.2.3
    -           299     cc: max-age=9, must-understand, no-store  status            9111 §5.2.2.3
    """)


@pytest.mark.parametrize("case", STORED, ids=str)
def test_judge_storing(case):
    decision = judge_storing(
        request(REQUESTS[case["request"]]),
        response(case["response"], status=int(case["status"])),
        TIMES,
        POLICY,
    )
    assert (decision.why.value if isinstance(decision, NoStore) else "stored") == case["why"]


@pytest.mark.parametrize("method", ["HEAD", "PUT", "BREW", "get", "post"])
def test_only_what_answers_get_or_post_is_stored(method):
    asked = request(method=method)
    answered = response("cc: max-age=9 | at: /a")
    assert judge_storing(asked, answered, TIMES, POLICY) == NoStore(Why.METHOD)


@pytest.mark.parametrize(
    "case",
    table("""
    response                                    why           source
    cc: max-age=9 | at: /a                      stored        9110 §9.3.3
    expires: @60 | at: http://H:80/a            stored        the same URI
    cc: max-age=9 | at: a                       stored        9110 §9.3.3
    cc: max-age=9                               method        9110 §9.3.3
    cc: max-age=9 | at: /b                      method        another URI
    cc: max-age=9 | at: http://other/a          method        another origin
    cc: max-age=9 | at: /a | at: /a             method        one, or none
    cc: public | last-modified: @-999 | at: /a  no-freshness  9110 §9.3.3
    cc: max-age=9, no-store | at: /a            no-store      9111 §3
    """),
    ids=str,
)
def test_what_answers_post_is_stored_when_it_names_itself(case):
    decision = judge_storing(request(method="POST"), response(case["response"]), TIMES, POLICY)
    assert (decision.why.value if isinstance(decision, NoStore) else "stored") == case["why"]


@pytest.mark.parametrize(
    "case",
    table("""
    response                                             kept             source
    cc: max-age=9, private="x" | x: 1 | y: 2             cache-control y  9111 §5.2.2.7
    cc: max-age=9, no-cache="X, y" | x: 1 | y: 2 | z: 3  cache-control z  9111 §5.2.2.4
    cc: max-age=9 | connection: x | x: 1 | z: 3          cache-control z  9111 §3.1
    """),
    ids=str,
)
def test_which_fields_are_stored(case):
    decision = judge_storing(request(), response(case["response"]), TIMES, POLICY)
    assert isinstance(decision, Store)
    assert [name for name, _ in decision.stored.fields] == case["kept"].encode().split()
    assert not decision.stored.no_cache


@pytest.mark.parametrize(
    "case",
    table("""
    response                              collapsible  source
    cc: max-age=60                        yes          9111 §4
    cc: max-age=60, no-cache | etag: "a"  no           9111 §5.2.2.4
    cc: max-age=0 | etag: "a"             no           9111 §4
    cc: max-age=60 | age: 60 | etag: "a"  no           9111 §4.2.3
    """),
    ids=str,
)
def test_a_response_that_is_fresh_on_arrival_may_answer_those_who_waited(case):
    decision = judge_storing(request(), response(case["response"]), TIMES, POLICY)
    assert isinstance(decision, Store)
    assert decision.collapsible == (case["collapsible"] == "yes")


def test_an_operator_may_ignore_what_requests_forbid():
    asked = request("cache-control: no-store")
    answered = response("cache-control: max-age=60")
    heedless = CachePolicy(request_directives=False)
    assert isinstance(judge_storing(asked, answered, TIMES, heedless), Store)


def test_the_stored_form_holds_what_later_decisions_read():
    answered = response(
        'cache-control: max-age=60, stale-while-revalidate=7 | age: 5, 6 | etag: "a"'
        " | content-length: 12 | vary: B, a | vary: b | surrogate-key: k1  k2 | connection: x-h"
        " | surrogate-key: k3 | x-h: 1 | last-modified: @-10 | date: @-2"
    )
    times = Times(response_wall=TIMES.response_wall, response_mono=9.0, response_delay_s=0.25)
    policy = CachePolicy(epoch=3, stale_if_error_default_s=8.0)
    decision = judge_storing(
        request("b: 1 | a: 2 | a: 3"), answered, times, policy, purge_sequence=4
    )
    assert isinstance(decision, Store)
    stored = decision.stored
    assert (stored.status, stored.lifetime_s, stored.swr_s, stored.sie_s) == (200, 60.0, 7.0, 8.0)
    assert (stored.age_s, stored.response_mono, stored.response_delay_s) == (5.0, 9.0, 0.25)
    assert stored.date_wall == TIMES.response_wall - 2
    assert (stored.etag, stored.length) == (b'"a"', 12)
    assert (stored.vary, stored.variant) == ((b"a", b"b"), b"2,3\n1")
    assert stored.tags == (b"k1", b"k2", b"k3")
    assert (stored.purge_sequence, stored.policy_epoch) == (4, 3)
    assert {name for name, _ in stored.fields}.isdisjoint({b"connection", b"x-h"})
    assert not stored.no_cache
    assert not stored.must_revalidate


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("", None),
        ("content-length: 5", 5),
        ("content-length: 5 | content-length: 5", 5),
        ("content-length: 5 | content-length: 6", None),
        ("content-length: -5", None),
        ("content-length: 5, 5", None),
        ("content-length: 99999999999999999999", None),
    ],
)
def test_a_doubtful_length_is_no_length(text, length):
    decision = judge_storing(
        request(), response("cache-control: max-age=60 | " + text), TIMES, POLICY
    )
    assert isinstance(decision, Store)
    assert decision.stored.length == length


@given(
    st.lists(
        st.sampled_from(
            ["max-age=60", "s-maxage=9", "public", "must-understand", "must-revalidate", "x=y"]
        )
    ),
    st.sampled_from(["private", "private=", 'private="a b"', 'private="a", private']),
    st.integers(200, 599),
)
def test_what_is_wholly_private_is_never_stored(directives, private, status):
    line = ", ".join([*directives, private])
    answered = response(f'etag: "a" | cache-control: {line}', status=status)
    assert isinstance(judge_storing(request(), answered, TIMES, POLICY), NoStore)


@pytest.mark.parametrize(
    "case",
    table("""
    policy                            response                       why           source
    bypass=True                       cc: max-age=9                  policy        rules
    store=False                       cc: max-age=9                  policy        rules
    refuse_set_cookie=True            cc: max-age=9 | set-cookie: a  set-cookie    9111 §7.3
    refuse_set_cookie=True            cc: max-age=9                  stored        9111 §7.3
    ttl_s=9.0                         -                              stored        rules
    ttl_s=9.0                         cc: no-store                   no-store      rules
    ttl_s=0.0                         cc: max-age=9                  no-freshness  rules
    stale_if_error_s=9.0              cc: max-age=0                  stored        rules
    stale_if_error_default_s=9.0      cc: max-age=0                  stored        rules
    stale_while_revalidate_s=9.0      cc: max-age=0                  stored        rules
    ignored_directives={b"no-store"}  cc: max-age=9, no-store        stored        rules
    ignored_directives={b"private"}   cc: max-age=9, private         stored        rules
    """),
    ids=str,
)
def test_an_operator_decides_what_is_stored(case):
    knob, _, value = case["policy"].partition("=")
    policy = CachePolicy(**{knob: literal_eval(value)})
    decision = judge_storing(request(), response(case["response"]), TIMES, policy)
    assert (decision.why.value if isinstance(decision, NoStore) else "stored") == case["why"]


def test_an_operator_names_tags_beside_those_of_the_origin():
    answered = response("cc: max-age=9 | surrogate-key: a b c")
    policy = CachePolicy(tags=(b"t", b"a"), tags_max=2)
    decision = judge_storing(request(), answered, TIMES, policy)
    assert isinstance(decision, Store)
    assert decision.stored.tags == (b"t", b"a", b"b")


def test_what_an_authorized_request_brought_is_for_others_only_where_it_says_so():
    authorized = request("authorization: x")
    assert is_for_others(request(), response(), POLICY)
    assert not is_for_others(authorized, response("cc: max-age=9"), POLICY)
    assert is_for_others(authorized, response("cc: max-age=9, public"), POLICY)
