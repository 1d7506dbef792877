"""What Cloudflare and Fastly are asked, and what their answers mean."""

from __future__ import annotations

import json

import pytest

from origin.cloudflare import Cloudflare
from origin.fastly import Fastly
from origin.provider_calls import PAUSE_MAX_S, Call, Item, Kind, Site, Verdict, sited
from tests.support.table import table

SITES = (Site("https", "video.example"), Site("https", "www.video.example"))
NOW_WALL = 1_000_000.0
ADAPTERS = {
    "cloudflare": Cloudflare(zone="z" * 8, sites=SITES[:1]),
    "fastly": Fastly(service="s" * 8, sites=SITES[:1]),
}
BODIES = {
    "yes": {"success": True, "errors": [], "messages": [], "result": {"id": "z"}},
    "no": {"success": False, "errors": [{"code": 1012, "message": "bad"}], "result": None},
    "denied": {"success": False, "errors": [{"code": 10000, "message": "Authentication error"}]},
    "keys": {"a": "108-1"},
    "ok": {"status": "ok"},
    "msg": {"msg": "Bad request", "detail": "no"},
}
CALLS = {"tag": Call("/x", (Item(1, Kind.TAG, "a", soft=False),))}
CALLS["url"] = Call("/purge/x", (Item(1, Kind.URL, "https://x/", soft=False),))


@pytest.mark.parametrize(
    "case",
    table("""
    value                         sites
    /a/1.ts                       https://video.example/a/1.ts https://www.video.example/a/1.ts
    http://video.example/a?b=c    https://video.example/a?b=c
    http://10.0.0.5:8081/a        https://video.example/a https://www.video.example/a
    http://www.video.example      https://www.video.example/
    http://other.example/?x=http://video.example/  https://video.example/?x=http://video.example/ https://www.video.example/?x=http://video.example/
"""),
    ids=str,
)
def test_what_is_purged_is_called_as_players_call_it(case):
    assert sited(case["value"], SITES) == case["sites"].split()


@pytest.mark.parametrize(
    "case",
    table("""
    provider    kind    soft   can  note
    cloudflare  url     false  yes  -
    cloudflare  url     true   yes  hard
    cloudflare  prefix  false  yes  directories
    cloudflare  prefix  true   yes  hard
    cloudflare  tag     false  yes  -
    cloudflare  tag     true   yes  hard
    cloudflare  all     false  yes  -
    cloudflare  all     true   yes  hard
    fastly      url     false  yes  -
    fastly      url     true   yes  -
    fastly      prefix  false  no   unsupported
    fastly      prefix  true   no   unsupported
    fastly      tag     false  yes  -
    fastly      tag     true   yes  -
    fastly      all     false  yes  -
    fastly      all     true   yes  hard
"""),
    ids=str,
)
def test_what_a_provider_can_do(case):
    ability = ADAPTERS[case["provider"]].ability(Kind(case["kind"]), soft=case["soft"] == "true")
    assert ability.can is (case["can"] == "yes")
    assert case["note"] in ability.note
    assert bool(case["note"]) is bool(ability.note)


def calls(provider: str, *orders: tuple[str, str, bool]) -> list[Call]:
    adapter = ADAPTERS[provider]
    items = [
        item
        for number, (kind, value, soft) in enumerate(orders, 1)
        for item in adapter.items(number, Kind(kind), value, soft=soft)
    ]
    made = adapter.calls(items)
    assert sorted(item for call in made for item in call.items) == sorted(items)
    return made


def test_cloudflare_is_asked_by_kind():
    path = "/client/v4/zones/zzzzzzzz/purge_cache"
    asked = calls(
        "cloudflare",
        ("tag", "a", False),
        ("url", "http://edge:8081/v/1", False),
        ("tag", "b,c", True),
        ("prefix", "/v/x/seg", False),
        ("prefix", "/v/y/?q", False),
        ("tag", "a", True),
    )
    assert [(call.path, call.body) for call in asked] == [
        (path, {"tags": ["a", "b%2cc"]}),
        (path, {"files": ["https://video.example/v/1"]}),
        (path, {"prefixes": ["video.example/v/x", "video.example/v/y"]}),
    ]


def test_fastly_is_asked_by_kind():
    asked = calls(
        "fastly",
        ("tag", "a", False),
        ("url", "http://edge:8081/v/1?x=y", False),
        ("tag", "b", True),
        ("tag", "c", False),
        ("url", "/v/1?x=y", True),
    )
    soft = (("fastly-soft-purge", "1"),)
    assert [(call.path, call.body, call.fields) for call in asked] == [
        ("/service/ssssssss/purge", {"surrogate_keys": ["a", "c"]}, ()),
        ("/purge/video.example/v/1?x=y", None, ()),
        ("/service/ssssssss/purge", {"surrogate_keys": ["b"]}, soft),
        ("/purge/video.example/v/1?x=y", None, soft),
    ]


@pytest.mark.parametrize("provider", ADAPTERS)
def test_to_purge_everything_is_to_purge_all_else_too(provider):
    (call,) = calls(provider, ("tag", "a", False), ("all", "", True), ("url", "/x", False))
    assert call.path.endswith(("purge_cache", "purge_all"))
    assert call.body in (None, {"purge_everything": True})


@pytest.mark.parametrize(("provider", "size"), [("cloudflare", 30), ("fastly", 256)])
def test_no_call_is_longer_than_the_provider_takes(provider, size):
    made = calls(provider, *[("tag", f"t{number}", False) for number in range(2 * size + 1)])
    assert [len(call.items) for call in made] == [size, size, 1]


@pytest.mark.parametrize(
    "case",
    table("""
    provider    of   status  body    fields                                 verdict    pause_s
    cloudflare  tag  200     yes     -                                      confirmed  -
    cloudflare  tag  200     yes     ratelimit="default";r=0;t=30           confirmed  30
    cloudflare  tag  200     yes     ratelimit="a";r=3;t=1,"b";r=0;t=99999  confirmed  600
    cloudflare  tag  200     no      -                                      refused    -
    cloudflare  tag  200     junk    -                                      denied     -
    cloudflare  tag  400     no      -                                      refused    -
    cloudflare  tag  400     denied  -                                      denied     -
    cloudflare  tag  401     denied  -                                      denied     -
    cloudflare  url  403     no      -                                      denied     -
    cloudflare  tag  404     junk    -                                      denied     -
    cloudflare  tag  302     junk    -                                      denied     -
    cloudflare  tag  429     junk    retry-after=300                        later      300
    cloudflare  tag  429     no      -                                      later      -
    cloudflare  tag  503     junk    -                                      later      -
    cloudflare  tag  408     junk    -                                      later      -
    fastly      tag  200     keys    -                                      confirmed  -
    fastly      url  200     ok      -                                      confirmed  -
    fastly      url  200     junk    -                                      denied     -
    fastly      url  200     ok      remaining=0;reset=1000009              confirmed  10
    fastly      url  200     ok      remaining=7;reset=1000009              confirmed  -
    fastly      tag  400     msg     -                                      refused    -
    fastly      tag  401     msg     -                                      denied     -
    fastly      tag  403     msg     -                                      denied     -
    fastly      url  403     msg     -                                      refused    -
    fastly      url  404     msg     -                                      refused    -
    fastly      url  401     msg     -                                      denied     -
    fastly      tag  429     msg     reset=1003600                          later      600
    fastly      tag  429     msg     reset=5                                later      0
    fastly      tag  429     msg     retry-after=7                          later      7
    fastly      tag  429     junk    retry-after=soon                       later      -
    fastly      tag  500     junk    -                                      later      -
"""),
    ids=str,
)
def test_answers(case):
    given = case["fields"]
    separator = "|" if given.startswith("ratelimit=") else ";"
    named = {"remaining": "fastly-ratelimit-remaining", "reset": "fastly-ratelimit-reset"}
    fields = dict(each.split("=", 1) for each in given.split(separator) if each)
    fields = {named.get(name, name): value for name, value in fields.items()}
    body = b"<html>" if case["body"] == "junk" else json.dumps(BODIES[case["body"]]).encode()
    answer = ADAPTERS[case["provider"]].read(
        CALLS[case["of"]], int(case["status"]), fields, body, now_wall=NOW_WALL
    )
    assert answer.verdict is Verdict(case["verdict"])
    assert answer.pause_s == (float(case["pause_s"]) if case["pause_s"] else None)
    assert answer.verdict is Verdict.CONFIRMED or case["status"] in answer.detail


def test_an_answer_is_never_believed_further_than_it_makes_sense():
    deep = b"[" * 100_000
    for adapter in ADAPTERS.values():
        answer = adapter.read(CALLS["tag"], 200, {}, deep, now_wall=NOW_WALL)
        assert answer.verdict is Verdict.DENIED
        long = json.dumps({"errors": [{"code": 1, "message": "x" * 9_999}], "msg": "y" * 9_999})
        said = adapter.read(CALLS["tag"], 400, {}, long.encode(), now_wall=NOW_WALL)
        assert len(said.detail) <= 200
        patience = {"retry-after": "9" * 9}
        later = adapter.read(CALLS["tag"], 429, patience, b"", now_wall=NOW_WALL)
        assert later.pause_s == PAUSE_MAX_S


def test_a_token_goes_where_the_provider_looks_for_it():
    assert ADAPTERS["cloudflare"].authorization("t") == ("authorization", "Bearer t")
    assert ADAPTERS["fastly"].authorization("t") == ("fastly-key", "t")
