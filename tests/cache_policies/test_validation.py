"""Asking whether a response still holds, updating it by a 304, and answering such questions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_policies.freshness import current_age_s
from cache_policies.stored import Times
from cache_policies.validation import (
    Evaluation,
    conditional_fields,
    evaluate,
    evaluate_at_origin,
    freshen,
    freshen_by_head,
    not_modified_fields,
)
from tests.support.responses import (
    NOW_MONO,
    NOW_WALL,
    POLICY,
    TIMES,
    dated_fields,
    request,
    response,
    stored,
)
from tests.support.table import fields, table


def test_a_validation_asks_with_every_validator():
    both = stored('etag: W/"a" | last-modified: @-60')
    assert conditional_fields(both) == dated_fields(
        'if-none-match: W/"a" | if-modified-since: @-60'
    )
    assert conditional_fields(stored('etag: "a"')) == fields('if-none-match: "a"')
    assert conditional_fields(stored()) == ()


@pytest.mark.parametrize(
    "case",
    table("""
    stored               not_modified         same  source
    etag: "a"            etag: "a"            yes   9111 §4.3.4
    etag: "a"            etag: W/"a"          yes   9110 §8.8.3.2
    etag: "a"            etag: "b"            no    9111 §4.3.4
    etag: "a"            -                    yes   9111 §4.3.4
    last-modified: @-60  etag: "b"            no    9111 §4.3.4
    last-modified: @-60  last-modified: @-60  yes   9111 §4.3.4
    last-modified: @-60  last-modified: @-30  no    9111 §4.3.4
    etag: "a"            last-modified: @-30  no    9111 §4.3.4
    etag: "a" | vary: b  vary: B              yes   9111 §4.1
    etag: "a" | vary: b  vary: c              no    another key from now on
    etag: "a"            cc: no-store         no    9111 §5.2.2.5
    etag: "a"            cc: private          no    9111 §5.2.2.7
    """),
    ids=str,
)
def test_which_stored_response_a_304_is_about(case):
    updated = freshen(
        stored(case["stored"]), response(case["not_modified"], status=304), TIMES, POLICY
    )
    assert (updated is not None) == (case["same"] == "yes")


def test_a_304_updates_fields_times_and_lifetime_but_not_the_body():
    old = stored(
        'etag: "a" | cc: max-age=5 | date: @-100 | age: 50 | x: 1 | x: 2 | y: 1'
        " | content-type: text/plain | content-length: 12 | surrogate-key: k | vary: b"
        " | content-md5: m",
        asked="b: 7",
    )
    told = response(
        "cc: max-age=60 | x: 3 | content-type: text/html | content-length: 0"
        ' | content-encoding: br | connection: z | z: 1 | date: @0 | etag: W/"a"'
        " | content-md5: n | content-digest: d",
        status=304,
    )
    times = Times(response_wall=NOW_WALL + 1, response_mono=NOW_MONO + 1)
    new = freshen(old, told, times, POLICY, purge_sequence=7)
    assert new is not None
    head = dict(new.fields)
    assert (head[b"x"], head[b"y"], head[b"etag"]) == (b"3", b"1", b'"a"')
    assert (head[b"content-type"], head[b"content-length"]) == (b"text/html", b"12")
    assert head[b"content-md5"] == b"m"
    gone = {b"content-encoding", b"content-digest", b"connection", b"z", b"age"}
    assert not gone & head.keys()
    assert (new.status, new.lifetime_s, new.length, new.etag) == (200, 60.0, 12, b'"a"')
    assert (new.vary, new.variant, new.tags) == ((b"b",), b"7", (b"k",))
    assert new.purge_sequence == 7
    assert current_age_s(new, NOW_MONO + 1) == 1.0


@pytest.mark.parametrize(
    "case",
    table("""
    stored               head                            kept  source
    -                    cc: max-age=60                  yes   9111 §4.3.5 no validators
    etag: "a"            cc: max-age=60                  yes   9111 §4.3.5 none received
    etag: "a"            etag: "a" | cc: max-age=60      yes   9111 §4.3.5
    etag: "a"            etag: "b"                       no    9111 §4.3.5
    etag: W/"a"          etag: "a"                       no    9111 §4.3.5 matching values
    -                    etag: "a"                       no    9111 §4.3.5
    last-modified: @-60  last-modified: @-60             yes   9111 §4.3.5
    last-modified: @-60  last-modified: @-30             no    9111 §4.3.5
    etag: "a"            etag: "a" | content-length: 12  yes   9111 §4.3.5
    etag: "a"            etag: "a" | content-length: 13  no    9111 §4.3.5
    etag: "a"            etag: "a" | content-length: x   no    9111 §4.3.5
    etag: "a"            etag: "a" | cc: no-store        no    9111 §5.2.2.5
    etag: "a"            etag: "a" | cc: private         no    9111 §5.2.2.7
    vary: b              vary: c                         no    another key from now on
    """),
    ids=str,
)
def test_an_answer_to_head_updates_what_is_stored_for_get(case):
    old = stored(f"{case['stored']} | x: 1 | y: 1 | content-length: 12")
    told = response(case["head"] + " | x: 2")
    new = freshen_by_head(old, told, TIMES, POLICY, purge_sequence=7)
    assert (new is not None) == (case["kept"] == "yes")
    if new is not None:
        assert (new.fields[-1], dict(new.fields)[b"y"]) == ((b"x", b"2"), b"1")
        assert (new.purge_sequence, new.variant) == (7, old.variant)


@pytest.mark.parametrize(("status", "answered"), [(200, 404), (404, 200), (404, 404), (200, 204)])
def test_only_a_200_to_head_updates_and_only_a_stored_200(status, answered):
    old = stored('etag: "a"', status=status)
    assert freshen_by_head(old, response('etag: "a"', status=answered), TIMES, POLICY) is None


def test_without_a_date_a_304_is_dated_by_its_arrival():
    old = stored('etag: "a" | date: @-100 | cc: max-age=60')
    new = freshen(old, response(status=304), TIMES, POLICY)
    assert new is not None
    assert current_age_s(new, NOW_MONO) == 0.0


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_validating_never_makes_a_response_older(stored_age, told_age):
    old = stored(f'etag: "a" | cc: max-age=60 | age: {stored_age}')
    new = freshen(old, response(f"age: {told_age}", status=304), TIMES, POLICY)
    assert new is not None
    assert current_age_s(new, NOW_MONO) == told_age


def test_a_304_carries_all_but_what_describes_the_body():
    given_fields = fields(
        'etag: "a" | vary: b | content-type: x | content-length: 1 | content-encoding: br'
        " | content-language: de | cc: max-age=1 | access-control-allow-origin: * | expires: 0"
    )
    names = [name for name, _ in not_modified_fields(given_fields)]
    assert names == [b"etag", b"vary", b"cache-control", b"access-control-allow-origin", b"expires"]


@pytest.mark.parametrize(
    "case",
    table("""
    request                                        stored               answer        source
    -                                              etag: "a"            full          9110 §13.2.2
    if-none-match: "a"                             etag: "a"            not-modified  9110 §13.1.2
    if-none-match: W/"a"                           etag: "a"            not-modified  9110 §8.8.3.2
    if-none-match: "a"                             etag: W/"a"          not-modified  9110 §8.8.3.2
    if-none-match: "b"                             etag: "a"            full          9110 §13.1.2
    if-none-match: "b", "a"                        etag: "a"            not-modified  9110 §13.1.2
    if-none-match: "b,"a""                         etag: "a"            full          junk around
    if-none-match: "b" | if-none-match: "a"        etag: "a"            not-modified  9110 §5.3
    if-none-match: "x, y"                          etag: "x, y"         not-modified  9110 §8.8.3
    if-none-match: *                               etag: "a"            not-modified  9110 §13.1.2
    if-none-match: *                               -                    not-modified  9110 §13.1.2
    if-none-match: "a"                             -                    full          9110 §13.1.2
    if-none-match: a                               etag: a              not-modified  unquoted
    if-none-match: a                               etag: "a"            full          9110 §8.8.3
    if-none-match: "b" | if-modified-since: @0     etag: "a"            full          9110 §13.1.3
    if-modified-since: @-60                        last-modified: @-60  not-modified  9110 §13.1.3
    if-modified-since: @-30                        last-modified: @-60  not-modified  9110 §13.1.3
    if-modified-since: @-90                        last-modified: @-60  full          9110 §13.1.3
    if-modified-since: junk                        last-modified: @-60  full          9110 §13.1.3
    if-modified-since: @0 | if-modified-since: @9  last-modified: @-60  full          9110 §13.1.3
    if-modified-since: @0                          date: @-5            not-modified  9111 §4.3.2
    if-modified-since: @-9                         date: @-5            full          9111 §4.3.2
    if-modified-since: @0                          -                    not-modified  9111 §4.3.2
    if-match: "b"                                  etag: "a"            full          9111 §4.3.2
    if-unmodified-since: @-90                      last-modified: @-60  full          9111 §4.3.2
    """),
    ids=str,
)
def test_evaluate(case):
    assert evaluate(request(case["request"]), stored(case["stored"])).value == case["answer"]


def test_only_successful_answers_to_get_and_head_are_conditional():
    asked = 'if-none-match: "a"'
    assert evaluate(request(asked, method="HEAD"), stored('etag: "a"')) is Evaluation.NOT_MODIFIED
    assert evaluate(request(asked, method="POST"), stored('etag: "a"')) is Evaluation.FULL
    assert evaluate(request(asked), stored('etag: "a"', status=404)) is Evaluation.FULL


@pytest.mark.parametrize(
    "case",
    table("""
    method  request                                     etag   modified  answer        source
    GET     -                                           "a"    @-60      full          9110 §13.2.2
    PUT     if-match: "a"                               "a"    @-60      full          9110 §13.2.2
    PUT     if-match: "b"                               "a"    @-60      failed        9110 §13.2.2
    PUT     if-match: W/"a"                             W/"a"  -         failed        9110 §13.1.1
    PUT     if-match: *                                 "a"    -         full          9110 §13.1.1
    PUT     if-match: *                                 -      -         failed        9110 §13.1.1
    PUT     if-match: "a"                               -      -         failed        9110 §13.1.1
    PUT     if-match: "a" | if-unmodified-since: @-90   "a"    @-60      full          9110 §13.1.4
    PUT     if-unmodified-since: @-90                   "a"    @-60      failed        9110 §13.2.2
    PUT     if-unmodified-since: @-60                   "a"    @-60      full          9110 §13.2.2
    PUT     if-unmodified-since: @-60                   "a"    -         failed        9110 §13.1.4
    PUT     if-unmodified-since: junk                   "a"    @-60      full          9110 §13.1.4
    GET     if-none-match: "a"                          "a"    @-60      not-modified  9110 §13.2.2
    PUT     if-none-match: "a"                          "a"    @-60      failed        9110 §13.2.2
    PUT     if-none-match: *                            -      -         full          9110 §13.1.2
    PUT     if-none-match: *                            "a"    -         failed        9110 §13.1.2
    GET     if-none-match: "b" | if-modified-since: @0  "a"    @-60      full          9110 §13.1.3
    GET     if-modified-since: @-60                     "a"    @-60      not-modified  9110 §13.2.2
    GET     if-modified-since: @-90                     "a"    @-60      full          9110 §13.2.2
    GET     if-modified-since: @0                       "a"    -         full          9110 §13.1.3
    PUT     if-modified-since: @0                       "a"    @-60      full          9110 §13.1.3
    GET     if-match: "a" | if-none-match: "a"          "a"    @-60      not-modified  9110 §13.2.2
    """),
    ids=str,
)
def test_evaluate_at_origin(case):
    validators = dict(dated_fields(f"etag: {case['etag']} | modified: {case['modified']}"))
    answer = evaluate_at_origin(
        request(case["request"], method=case["method"]),
        validators[b"etag"] or None,
        validators[b"modified"] or None,
        NOW_WALL,
    )
    assert answer.value.removeprefix("precondition-") == case["answer"]
