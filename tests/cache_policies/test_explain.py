"""Explanations say what the decisions do, and which rules they come from."""

import pytest

from cache_policies.explain import Explanation, explain
from cache_policies.message import RequestHead
from cache_policies.policies import Policies
from tests.support.responses import NOW_WALL, request, response
from tests.support.rules import compiled

POLICIES = compiled("""
    hosts: {h: [www.h]}
    rules:
    - {name: all, set: {stale_if_error_default: 1d}}
    - {name: vod, match: {path: /vod/*}, set: {query: none, tags: vod, tiers: memory, origin: far}}
    - {name: api, match: {path: /api/*}, set: {bypass: true}}
    - {name: anon, match: {path: /anon}, set: {strip_request: authorization}}
    - {name: errors, match: {status: 5xx}, set: {store: false}}
""")


def explained(
    asked: RequestHead, text: str = "cache-control: max-age=60", status: int = 200
) -> Explanation:
    return explain(POLICIES, asked, response(text, status=status), NOW_WALL)


def test_a_stored_response():
    made = explained(
        request(target="/vod/a?b"), "cache-control: max-age=60, stale-while-revalidate=5"
    )
    assert [rule.name for rule in made.rules] == ["all", "vod"]
    assert (made.key, made.asked, made.forwarded) == (b"http://h/vod/a", b"/vod/a", None)
    assert (made.why_not_stored, made.lifetime_s) == (None, 60.0)
    assert (made.stale_while_revalidate_s, made.stale_if_error_s) == (5.0, 86_400.0)
    assert (made.tiers, made.tags, made.origin) == (("memory",), (b"vod",), "far")
    said = made.to_mapping(POLICIES)
    assert said["rules"][1] == {"name": "vod", "file": "rules.yaml", "line": 5}
    assert said["settings"]["stale_if_error_default"] == {"value": "1d", "rules": ["all"]}
    assert said["settings"]["query"] == {"value": {"keep": []}, "rules": ["vod"]}
    assert (said["stored"], said["why"]) == (True, None)


def test_a_token_is_not_looked_at():
    token = "A" * 40
    made = explained(request(target=f"/~{token}/vod/a"))
    assert (made.key, made.asked, made.origin) == (b"http://h/vod/a", b"/vod/a", "far")


@pytest.mark.parametrize(
    ("asked", "text", "status", "why", "forwarded"),
    [
        (request(target="/api/a"), "cache-control: max-age=60", 200, "policy", "bypass"),
        (request(target="/x%2f..%2fvod/a"), "max-age=60", 200, "policy", "ambiguous-path"),
        (request(method="DELETE"), "cache-control: max-age=60", 200, "method", "method"),
        (request(), "cache-control: max-age=60", 503, "policy", None),
        (request(), "cache-control: no-store", 200, "no-store", None),
        (request("authorization: x"), "cache-control: max-age=60", 200, "authorization", None),
    ],
)
def test_each_no_has_its_reason(asked, text, status, why, forwarded):
    made = explained(asked, text, status)
    assert (made.why_not_stored, made.forwarded) == (why, forwarded)
    assert not made.to_mapping(POLICIES)["stored"]


def test_an_answer_to_post_that_names_itself_is_forwarded_and_stored():
    made = explained(request(method="POST"), "cache-control: max-age=60 | content-location: /a")
    assert (made.forwarded, made.why_not_stored, made.key) == ("method", None, b"http://h/a")
    assert explained(request(method="POST")).key == b""


def test_must_revalidate_means_no_stale_window():
    made = explained(request(), "cache-control: max-age=60, must-revalidate")
    assert (made.stale_while_revalidate_s, made.stale_if_error_s) == (0.0, 0.0)


def test_what_is_stripped_of_a_request_is_not_judged():
    made = explained(request("authorization: x", target="/anon"))
    assert made.why_not_stored is None


def test_no_rules_are_a_plain_cache():
    made = explain(Policies.bare(), request(), response("cache-control: max-age=60"), NOW_WALL)
    assert (made.rules, made.choices, made.lifetime_s) == ((), {}, 60.0)
