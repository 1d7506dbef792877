"""Compiled rules: the cascade, what a key becomes, and who shares a policy object."""

import re
from dataclasses import replace
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_policies.load import PolicyFile, load_policies
from cache_policies.message import RequestHead, ResponseHead
from cache_policies.policies import FLYWEIGHTS_MAX, UNSYNCED, Policies, compile_policies
from cache_policies.policy import CachePolicy
from tests.support.responses import request, response
from tests.support.table import table


def compiled(text: str) -> Policies:
    return compile_policies(load_policies(text.encode(), "f"))


RULES = """
hosts: {h: [www.h, old.example:8080, 'Ten.h:80', 'eleven.h:443']}
rules:
- {name: all, set: {refuse_set_cookie: true, ttl_default: 1m, tags: site, strip_response: Server}}
- {name: vod, match: {path: /vod/*}, set: {ttl: 1h, tags: [vod, site], query: none, tiers: disk}}
- {name: news, match: {path: /vod/news/*}, set: {ttl: null, query: {keep: [t]}, origin: fast}}
- {name: broken, match: {status: 5xx}, set: {ttl: 1s, strip_response: X-Trace, tags: []}}
- {name: plain, match: {path: /plain}, set: {tags: null, heuristics: false, query: all}}
- {name: members, match: {request_fields: {cookie: '*sid=*'}}, set: {bypass: true}}
"""
POLICIES = compiled(RULES)


def test_bare_policies_are_a_plain_cache_that_keys_as_ever():
    bare = Policies.bare()
    assert bare.for_request(request()) == bare.for_response(request(), response()) == CachePolicy()
    assert bare.for_request(request()) is bare.for_response(request(), response())
    assert bare.key(b"http", b"H:80", b"/a?b=1&CMCD=x") == (b"http://h/a?b=1", b"/a?b=1")
    assert not bare.reduces
    assert not bare.is_slow(b"GET", ((b"cookie", b"sid=1"),))


def test_every_rule_that_matches_counts_and_the_last_one_wins():
    policy = POLICIES.for_request(request(target="/vod/a"))
    assert policy == CachePolicy(
        epoch=POLICIES.epoch,
        refuse_set_cookie=True,
        ttl_default_s=60.0,
        ttl_s=3_600.0,
        tags=(b"site", b"vod"),
        stripped_response=frozenset({b"server"}),
        memory=False,
    )
    news = POLICIES.for_request(request(target="/vod/news/a"))
    assert (news.ttl_s, news.origin, news.tags) == (None, "fast", (b"site", b"vod"))
    plain = POLICIES.for_request(request(target="/plain"))
    assert (plain.tags, plain.heuristic_fraction) == ((), 0.0)


@pytest.mark.parametrize(
    ("target", "ambiguous"),
    [
        ("/account%2f..%2fvod/a", True),  # theirs to the letter, /vod/a when decoded
        ("/account//../vod/a", True),
        ("/vod%2Fa", True),
        ("/vod/a%2Fb", False),  # in /vod/ either way
        ("/vod//a", False),
        ("/vod/%2e%2e/vod/a", False),  # the same path by RFC 3986
        ("/vod/%61", False),
        ("/other%2Fa", False),
    ],
)
def test_a_path_that_rules_read_in_two_ways_bypasses_the_cache(target, ambiguous):
    asked = request(target=target)
    assert POLICIES.is_ambiguous(asked) is ambiguous
    for policy in (POLICIES.for_request(asked), POLICIES.for_response(asked, response(""))):
        assert (policy.bypass, policy.store) == (ambiguous, not ambiguous)


def test_a_response_adds_the_rules_that_are_about_it():
    asked = request(target="/vod/a")
    assert POLICIES.for_response(asked, response()) is POLICIES.for_request(asked)
    broken = POLICIES.for_response(asked, response(status=503))
    assert (broken.ttl_s, broken.stripped_response) == (1.0, {b"server", b"x-trace"})


def test_equal_decisions_are_one_object_and_few_are_remembered():
    first = POLICIES.for_request(request(target="/vod/a"))
    assert POLICIES.for_request(request(target="/vod/b")) is first
    many = compiled(
        "rules:\n"
        + "".join(
            f"- {{name: r{n}, match: {{path: '*{n:x}*'}}, set: {{slices: true}}}}\n"
            for n in range(16)
        )
    )
    for no in range(FLYWEIGHTS_MAX + 100):  # each bit of it is a rule that matches
        many.for_request(request(target="/" + "".join(f"{n:x}" for n in range(16) if no >> n & 1)))
    assert len(many._flyweights) <= FLYWEIGHTS_MAX


def test_choices_name_the_rules_that_made_them():
    choices = POLICIES.choices(POLICIES.matched(request(target="/vod/news/a"), response()))
    assert "ttl" not in choices
    assert (choices["tags"].value, choices["tags"].rules) == (("site", "vod"), (0, 1))
    assert choices["query"].rules == (2,)
    assert [POLICIES.rules[no].line for no in choices["origin"].rules] == [6]


@pytest.mark.parametrize(
    "case",
    table("""
    host              target                  key
    h                 /a?b=1                  http://h/a?b=1
    WWW.H:80          /a                      http://h/a
    old.example:8080  /a                      http://h/a
    ten.h             /a                      http://h/a
    ten.h:80          /a                      http://h/a
    eleven.h          /a                      http://h/a
    old.example       /a                      http://old.example/a
    h                 /vod/a?b=1              http://h/vod/a
    h                 /vod/a?CMCD=x&b=1       http://h/vod/a
    h                 /%76od/a?b=1            http://h/%76od/a
    h                 /vod/news/a?b=1&t=2     http://h/vod/news/a?t=2
    h                 /plain?b=1              http://h/plain?b=1
"""),
    ids=str,
)
def test_a_key_holds_what_names_the_resource(case):
    key, target = POLICIES.key(b"http", case["host"].encode(), case["target"].encode())
    assert key == case["key"].encode()
    assert key.endswith(target)


@pytest.mark.parametrize(
    ("key", "kept"),
    [
        (b"http://h/vod/a", True),
        (b"http://h/vod/a?b=1", False),  # its query says nothing now
        (b"http://www.h/vod/a", False),  # an alias
        (b"http://other/a?b=1", True),
    ],
)
def test_a_key_of_other_policies_may_still_be_one(key, kept):
    assert POLICIES.keeps_key(key) is kept
    assert Policies.bare().keeps_key(key)


def test_what_any_host_s_target_may_be_reduced_to():
    assert POLICIES.reductions(b"/vod/news/a?b=1&t=2") == (b"/vod/news/a?t=2", b"/vod/news/a")
    assert POLICIES.reductions(b"/plain?b=1") == ()
    assert Policies.bare().reductions(b"/a?b") == ()


def test_what_fields_may_change_is_known_before_a_path_is():
    assert POLICIES.has_slow
    assert not Policies.bare().has_slow
    assert POLICIES.is_slow(b"GET", ((b"cookie", b"a; sid=1"),))
    assert not POLICIES.is_slow(b"GET", ((b"cookie", b"a"),))


# laws over generated rules

NAMES = st.sampled_from(["a", "b", "utm_x", "c"])
PATHS = st.sampled_from(["/a*", "/b/*", "*.ts", "*", "/a/b", "*a*b*"])
HOSTS = st.sampled_from(["h", "*.h", "w*", "*"])
QUERIES = st.sampled_from(
    [
        *("all", "none", "null", "{keep: [a]}", "{drop: [utm_*]}", "{drop: [], sort: true}"),
        "{keep: [a, b], sort: true}",
    ]
)


@st.composite
def rule_texts(draw: st.DrawFn) -> str:
    lines = ["hosts: {h: [www.h]}", "rules:"]
    for no in range(draw(st.integers(1, 5))):
        match = ", ".join(
            [
                *(f"host: '{host}'" for host in draw(st.lists(HOSTS, max_size=1))),
                *(f"path: '{path}'" for path in draw(st.lists(PATHS, max_size=1))),
            ]
        )
        query = draw(QUERIES)
        lines.append(f"- {{name: r{no}, match: {{{match}}}, set: {{query: {query}, ttl: {no}s}}}}")
    return "\n".join(lines)


TARGETS = st.tuples(
    st.sampled_from(["/a", "/b/c", "/a/b", "/x.ts", "/%61/b", "//a", "/b/../a"]),
    st.lists(st.tuples(NAMES, st.sampled_from(["", "=1", "=2"])).map("".join), max_size=4),
).map(lambda parts: parts[0] + ("?" + "&".join(parts[1]) if parts[1] else ""))


@given(rule_texts(), st.sampled_from([b"h", b"www.h", b"x.h", b"W"]), TARGETS)
def test_the_key_of_what_is_asked_for_is_the_same_key(text, host, target):
    policies = compiled(text)
    key, asked = policies.key(b"http", host, target.encode())
    assert policies.key(b"http", host, asked) == (key, asked)
    assert policies.key(b"http", policies.host(b"http", host), asked) == (key, asked)


def naive_ttl(file: PolicyFile, asked: RequestHead) -> str | None:
    """The last ttl whose rule's patterns, as regular expressions, describe host and path."""

    def describes(patterns: tuple[str, ...] | None, value: str) -> bool:
        return patterns is None or any(
            re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), value, re.DOTALL)
            for pattern in patterns
        )

    host, path = asked.host.decode(), unquote(asked.target.decode().partition("?")[0])
    ttl = None
    for rule in file.document.rules:
        if describes(rule.match.host, host) and describes(rule.match.path, path):
            ttl = rule.settings.ttl
    return ttl


@given(rule_texts(), st.sampled_from(["h", "x.h", "w"]), TARGETS.filter(lambda t: "//" not in t))
def test_rules_match_as_a_naive_reading_of_them_does(text, host, target):
    if ".." in target:
        return
    file = load_policies(text.encode(), "f")
    asked = RequestHead(b"GET", b"http", host.encode(), target.encode())
    policy = compile_policies(file).for_response(asked, ResponseHead(200))
    assert policy.ttl_s == naive_ttl(file, asked)


GUARDED = compiled("""
    hosts: {h: [www.h]}
    rules:
    - {name: videos, match: {host: h, path: /v/*}, set: {access: signed, ttl: 1h}}
    - {name: posters, match: {path: "/v/*.jpg"}, set: {access: open}}
    - {name: neutral, match: {path: "/v/free/*"}, set: {access: null}}
""")


@pytest.mark.parametrize(
    ("host", "target", "guarded"),
    [
        (b"h", b"/v/a.m4s", True),
        (b"www.H:80", b"/v/a.m4s?x", True),  # an alias
        (b"other", b"/v/a.m4s", False),
        (b"h", b"/w/a.m4s", False),
        (b"h", b"/v/a.jpg", False),  # the later rule wins
        (b"h", b"/v/free/a.m4s", False),
        (b"h", b"/V/a.m4s", False),  # another path (RFC 3986 §6.2.2.1)
        (b"h", b"/%76/a.m4s", True),
        (b"h", b"//v//a.m4s", True),
        (b"h", b"/w/../v/a.m4s", True),
        (b"h", b"/w%2f..%2fv%2fa.m4s", True),
        (b"h", b"/w\\..\\v/a.m4s", True),
        (b"h", b"/w/..;x/v/a.m4s", True),
        (b"h", b"/%2576/a.m4s", True),
        (b"h", b"/v/../a.m4s", False),
        (b"h", b"/v/..%2fa.m4s", True),  # to the letter it is there
        (b"h", b"/v/a.m4s%00.jpg", True),
        (b"h", b"/v/a.m4s;.jpg", True),
        (b"h", b"/v/a.m4s%3f.jpg", True),  # an inner proxy decodes, and sends a query
        (b"h", b"/v/a.m4s%2523.jpg", True),
        (b"h", b"/w%2500/../%2576/a.m4s", True),  # and who reads on behind the NUL
        (b"h.", b"/v/a.m4s", True),  # the same host
        (b"H.:8080", b"/v/a.m4s", True),
        (b"www.h.", b"/v/a.m4s", True),
        (b"h", b"*", False),
    ],
    ids=repr,
)
def test_a_path_needs_a_token_when_some_reader_sees_one_that_does(host, target, guarded):
    assert GUARDED.is_guarded(b"http", host, target) is guarded
    asked = RequestHead(b"GET", b"http", host, target)
    for policy in (GUARDED.for_request(asked), GUARDED.for_response(asked, response(""))):
        assert policy.signed is guarded


def test_without_such_rules_nothing_needs_a_token():
    open_ = compiled("rules: [{name: a, match: {path: /v/*}, set: {access: open}}]")
    for policies in (Policies.bare(), POLICIES, open_):
        assert not policies.guards
        assert not policies.is_guarded(b"http", b"h", b"/v/a")


def test_rules_while_purges_may_be_missed():
    unsure = POLICIES.unsynced(is_unsynced=True)
    assert unsure.unsynced(is_unsynced=True) is unsure
    assert (unsure.epoch, unsure.name) == (POLICIES.epoch | UNSYNCED, POLICIES.name)
    assert unsure.rules == POLICIES.rules
    again = unsure.unsynced(is_unsynced=False)
    assert again.epoch == POLICIES.epoch
    assert POLICIES.unsynced(is_unsynced=False) is POLICIES
    for asked in (request(), request(target="/vod/x")):
        policy = POLICIES.for_response(asked, response())
        assert unsure.for_response(asked, response()) == replace(
            policy, unsynced=True, epoch=unsure.epoch
        )
