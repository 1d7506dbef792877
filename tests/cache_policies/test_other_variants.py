"""A miss of one variant offers the origin the others; a 304 may make one of them the answer."""

import pytest

from cache_policies.other_variants import adopt, chosen, may_answer, tag_fields
from cache_policies.policies import Policies
from cache_policies.why import Why
from tests.support.responses import TIMES, request, response, stored
from tests.support.rules import compiled
from tests.support.table import fields, table

BARE = Policies.bare()


@pytest.mark.parametrize(
    "case",
    table("""
    stored                                        asks                        may  source
    etag: "a" | vary: b                           b: 2                        yes  9111 §4.1
    etag: W/"a" | vary: b                         b: 2                        no   9111 §4.3.4
    last-modified: @-60 | vary: b                 b: 2                        no   9111 §4.3.4
    etag: "a" | etag: "b" | vary: b               b: 2                        no   9110 §8.8.3
    etag: a | vary: b                             b: 2                        no   9110 §8.8.3
    etag: "a" | vary: origin                      origin: http://x            no   for one site
    etag: "a" | vary: b, cookie                   b: 2                        no   for one user
    etag: "a" | vary: authorization               b: 2                        no   for one user
    etag: "a" | vary: b | set-cookie: u=1         b: 2                        no   for one user
    etag: "a" | vary: b | access-control-age: 1   b: 2                        no   for one site
    etag: "a" | content-encoding: gzip            -                           no   9110 §12.5.3
    etag: "a" | content-encoding: gzip            accept-encoding: br         no   9110 §12.5.3
    etag: "a" | content-encoding: gzip            accept-encoding: gzip;q=0   no   9110 §12.5.3
    etag: "a" | content-encoding: gzip            accept-encoding: gzip;q=x   no   9110 §12.5.3
    etag: "a" | content-encoding: GZip            accept-encoding: br, gzip   yes  9110 §12.5.3
    etag: "a" | content-encoding: gzip            accept-encoding: x-gzip     yes  9110 §8.4.1.3
    etag: "a" | content-encoding: gzip, br        accept-encoding: gzip       no   9110 §12.5.3
    etag: "a" | content-encoding: identity        -                           yes  9110 §12.5.3
    """),
    ids=str,
)
def test_which_variants_are_offered(case):
    assert may_answer(stored(case["stored"]), request(case["asks"])) == (case["may"] == "yes")


def test_errors_and_endless_tags_are_not_offered():
    assert not may_answer(stored('etag: "a"', status=404), request())
    assert not may_answer(stored(f'etag: "{"a" * 300}"'), request())


def test_each_tag_is_named_once():
    others = [stored('etag: "a"'), stored('etag: "b, c"'), stored('etag: "a"'), stored()]
    assert tag_fields(others) == fields('if-none-match: "a", "b, c"')
    assert tag_fields([]) == ()


@pytest.mark.parametrize(
    ("told", "number"),
    [
        ('etag: "b"', 1),
        ('etag: "c"', None),
        ('etag: W/"b"', None),
        ("", None),
        ('etag: "a" | etag: "b"', None),
    ],
)
def test_only_its_strong_tag_chooses_a_variant(told, number):
    others = [stored('etag: "a"'), stored('etag: "b"'), stored('etag: "b" | x: 2')]
    assert chosen(others, response(told, status=304)) == number


def kept():
    return stored('etag: "a" | cc: max-age=5 | x: 1 | y: 1 | vary: b', asked="b: 1")


def adopted(asks: str, told: str, policies: Policies = BARE):
    return adopt(kept(), request(asks), response(told, status=304), TIMES, policies)


def test_what_a_304_has_chosen_answers_other_selecting_fields():
    found = adopted("b: 2", 'etag: "a" | cc: max-age=60 | x: 2')
    assert found is not None
    assert (found.why, found.is_shared) == (None, True)
    head = dict(found.stored.fields)
    assert (head[b"x"], head[b"y"], head[b"etag"]) == (b"2", b"1", b'"a"')
    assert (found.stored.variant, found.stored.lifetime_s) == (b"2", 60.0)
    assert (kept().variant, kept().lifetime_s) == (b"1", 5.0)


@pytest.mark.parametrize(
    "case",
    table("""
    asks                        told                    why               source
    b: 2 | cc: no-store         etag: "a"               request-no-store  9111 §5.2.1.5
    b: 2 | authorization: x     etag: "a"               authorization     9111 §3.5
    b: 2 | authorization: x     etag: "a" | cc: public  -                 9111 §3.5
    """),
    ids=str,
)
def test_the_request_may_forbid_to_keep_it(case):
    found = adopted(case["asks"], case["told"])
    assert found is not None
    assert found.why == (Why(case["why"]) if case["why"] else None)
    assert found.stored.variant == b"2"
    assert found.is_shared is False or found.why is None


@pytest.mark.parametrize("told", ['etag: "a" | cc: private', 'etag: "a" | vary: c'])
def test_a_304_that_forbids_it_or_makes_others_select_is_of_no_use(told):
    assert adopted("b: 2", told) is None


def test_rules_are_asked_as_for_any_response():
    rules = "rules: [{name: a, match: {response_fields: {x: '2'}}, set: %s}]"
    told = 'etag: "a" | x: 2'
    found = adopted("b: 2", told, compiled(rules % "{ttl: 7s}"))
    assert found is not None
    assert found.stored.lifetime_s == 7.0
    found = adopted("b: 2", told, compiled(rules % "{store: false}"))
    assert found is not None
    assert found.why is Why.POLICY
    assert adopted("b: 2", told, compiled(rules % "{vary_add: d}")) is None
