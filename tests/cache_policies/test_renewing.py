"""A stored response that a 304 or a further part is about, as the answer to that request."""

import pytest

from cache_policies.policies import Policies
from cache_policies.renewing import renew
from cache_policies.why import Why
from tests.support.responses import TIMES, request, response, stored
from tests.support.rules import compiled
from tests.support.table import table

BARE = Policies.bare()


def kept():
    return stored('etag: "a" | cc: max-age=5 | x: 1 | y: 1 | vary: b', asked="b: 1")


def renewed(asks: str, told: str, policies: Policies = BARE, status: int = 304):
    return renew(kept(), request(asks), response(told, status=status), TIMES, policies)


def test_what_a_304_has_chosen_answers_other_selecting_fields():
    found = renewed("b: 2", 'etag: "a" | cc: max-age=60 | x: 2')
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
    found = renewed(case["asks"], case["told"])
    assert found is not None
    assert found.why == (Why(case["why"]) if case["why"] else None)
    assert found.stored.variant == b"2"
    assert found.is_shared is False or found.why is None


@pytest.mark.parametrize("told", ['etag: "a" | cc: private', 'etag: "a" | vary: c'])
def test_a_304_that_forbids_it_or_makes_others_select_is_of_no_use(told):
    assert renewed("b: 2", told) is None


def test_rules_are_asked_as_for_any_response():
    rules = "rules: [{name: a, match: {response_fields: {x: '2'}}, set: %s}]"
    told = 'etag: "a" | x: 2'
    found = renewed("b: 2", told, compiled(rules % "{ttl: 7s}"))
    assert found is not None
    assert found.stored.lifetime_s == 7.0
    found = renewed("b: 2", told, compiled(rules % "{store: false}"))
    assert found is not None
    assert found.why is Why.POLICY
    assert renewed("b: 2", told, compiled(rules % "{vary_add: d}")) is None


def test_a_further_part_of_it_brings_its_head_along():
    found = renewed("b: 1", 'etag: "a" | cc: max-age=60 | x: 3 | content-length: 9', status=200)
    assert found is not None
    head = dict(found.stored.fields)
    assert (head[b"x"], head[b"y"], found.stored.lifetime_s) == (b"3", b"1", 60.0)
    assert b"content-length" not in head
    assert (found.why, found.stored.variant) == (None, b"1")
    assert renewed("b: 1", 'etag: "b"', status=200) is None
    assert renewed("b: 1", 'etag: "a" | cc: no-store', status=200) is None
