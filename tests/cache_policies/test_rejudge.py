"""What is stored, judged again: by its raw fields, under the policies of now."""

from dataclasses import replace

from cache_policies.policies import Policies
from cache_policies.rejudge import rejudge
from cache_policies.storing import NoStore, Store, judge_storing
from cache_policies.why import Why
from tests.support.responses import POLICY, TIMES, request, response
from tests.support.rules import compiled

FIELDS = "cache-control: max-age=60 | etag: a | surrogate-key: k | vary: accept-language"


def kept(text: str = FIELDS, asked: str = "accept-language: de"):
    judged = judge_storing(request(asked), response(text), TIMES, POLICY, purge_sequence=7)
    assert isinstance(judged, Store)
    return judged.stored


def under(rule: str, asked: str = "accept-language: de"):
    return rejudge(kept(), request(asked), compiled(f"rules: [{{name: a, {rule}}}]"))


def test_without_rules_it_stays_what_it_was():
    judged = rejudge(kept(), request("accept-language: de"), Policies.bare())
    assert judged == Store(kept())


def test_rules_change_what_was_derived_and_nothing_else():
    judged = under("set: {ttl: 5s, tags: [x], strip_response: etag}")
    assert isinstance(judged, Store)
    epoch = judged.stored.policy_epoch
    assert epoch > 0
    assert judged.stored == replace(
        kept(),
        lifetime_s=5.0,
        tags=(b"x", b"k"),
        stripped=frozenset({b"etag"}),
        policy_epoch=epoch,
    )


def test_the_request_that_finds_it_does_not_forbid_it():
    asked = "accept-language: de | cache-control: no-store | authorization: x | range: bytes=0-1"
    assert isinstance(under("set: {ttl: 5s}", asked), Store)


def test_what_rules_forbid_is_not_kept():
    assert under("match: {response_fields: {etag: a}}, set: {store: false}") == NoStore(Why.POLICY)
    assert under("set: {bypass: true}") == NoStore(Why.POLICY)


def test_other_variants_than_it_was_stored_under_are_not_guessed():
    assert under("set: {vary_ignore: accept-language}") == NoStore(Why.VARY_ANY)
    assert under("set: {vary_add: accept}") == NoStore(Why.VARY_ANY)
    assert isinstance(under("set: {vary_add: accept-language}"), Store)
