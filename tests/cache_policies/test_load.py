"""Policy files: what is wrong is said with its place and remedy; what is right comes through."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_policies.complaints import PolicyFileError
from cache_policies.load import PolicyFile, epoch_of, known_settings, load_policies, unknown_origins

HEAD = "rules:\n- name: a\n"


def refusal(text: str) -> list[str]:
    with pytest.raises(PolicyFileError) as error:
        load_policies(text.encode(), "f")
    return error.value.lines()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("  set: {tlt: 3s}", "f:3:9: unknown key `tlt`; did you mean `ttl`?"),
        ("  sett: {ttl: 3s}", "f:3:3: unknown key `sett`; did you mean `set`?"),
        ("  ttl: 3s", "f:3:3: `ttl` belongs under `set`"),
        ("  host: a", "f:3:3: `host` belongs under `match`"),
        ("  zzz: 1", "f:3:3: unknown key `zzz`; known are name, match, set"),
        ("  match: {pth: /x}", "f:3:11: unknown key `pth`; did you mean `path`?"),
        ("  set: {query: {kep: a}}", "f:3:17: unknown key `kep`; did you mean `keep`?"),
        ("  match: {}", "f:2:3: `set` is missing"),
        ("  set: {}", "f:3:3: sets nothing; name a setting"),
        (
            "  set: {ttl: 30}",
            "`ttl`: a duration is a number with a unit: 500ms, 30s, 5m, 12h or 7d",
        ),
        ("  set: {bypass: yes}", '`bypass`: want true or false, not "yes"'),
        ("  set: {tiers: ram}", "f:3:9: `tiers`: want 'memory' or 'disk', not \"ram\""),
        ("  set: {tags: [a, b c]}", 'f:3:19: `tags`: want a tag without spaces, not "b c"'),
        (
            "  set: {query: some}",
            "`query`: want all, none, or a mapping with keep or drop, and sort",
        ),
        ("  set: {query: {keep: a, drop: b}}", "f:3:9: `query` takes either keep or drop"),
        ("  set: {ttl_min: 2s, ttl_max: 1s}", "f:3:9: `ttl_min` is longer than `ttl_max`"),
        (
            "  set: {disk_after: 0}",
            "`disk_after`: input should be greater than or equal to 1, not 0",
        ),
        ("  match: {path: vod}", "`path`: want a path that begins with / or *"),
        ("  match: {path: /a?b=1}", "a path has no query; say what of it counts with `query`"),
        ("  match: {path: []}", "f:3:11: `path`: is empty; leave it out, or give at least one"),
        ("  match: {path: '/*a*a*a*a*a*a*a*a*'}", "`path`: at most 8 stars in a pattern"),
        ("  match: {host: '*a*a*a*a*a*a*a*a*'}", "`host`: at most 8 stars in a pattern"),
        ("  match: {host: 'a b'}", "`host`: want a host, as example.com or *.example.com"),
        ("  match: {status: 700}", "`status`: want a status, as 404, 5xx or 400-499, not 700"),
        ("  match: {status: 404-400}", "no status is in 404-400; write the lower one first"),
        ("  match: {method: get}", '`method`: want a method, as GET, not "get"'),
        ("  match: {request_fields: {}}", "`request_fields`: is empty; leave it out"),
        (
            "  set: {strip_response: [Age]}",
            "f:3:9: `Age` cannot be stripped: the edge itself writes",
        ),
        (
            "  set: {strip_request: host}",
            "f:3:9: `host` cannot be stripped: the edge itself writes it",
        ),
        ("  match: 3", "f:3:3: `match`: want a mapping of keys and values, not 3"),
    ],
)
def test_a_complaint_names_place_key_and_remedy(line, said):
    assert any(said in complaint for complaint in refusal(HEAD + line)), refusal(HEAD + line)


@pytest.mark.parametrize(
    ("match", "set_", "said"),
    [
        (
            "status: 200",
            "bypass: true",
            "`bypass` is decided before there is a response: do not mat",
        ),
        ("content_type: a/b", "origin: x", "`origin` is decided before there is a response"),
        ("response_fields: {a: true}", "query: none", "`query` is decided before there is a resp"),
        ("status: 200", "access: signed", "`access` is decided before there is a response"),
        ("method: GET", "access: open", "`access` may depend on host and path only, not on `meth"),
        ("method: GET", "query: none", "`query` may depend on host and path only, not on `method`"),
        (
            "request_fields: {a: b}",
            "bypass: false",
            "only `bypass: true` may depend on `request_fi",
        ),
    ],
)
def test_what_could_not_be_decided_is_refused(match, set_, said):
    (complaint,) = refusal(f"{HEAD}  match: {{{match}}}\n  set: {{{set_}}}")
    assert complaint.startswith(f"f:4:9: {said}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "f:1:1: no rules; write `rules:` and a list"),
        ("[]", "f:1:1: want a mapping of keys and values"),
        ("rules: 3", "f:1:1: `rules`: want a list, not 3"),
        ("rule: []", "f:1:1: unknown key `rule`; did you mean `rules`?"),
        ("hosts: {a: b, b: c}", "f:1:9: `b` has aliases itself; it cannot be one"),
        ("hosts: {a: x, b: [c, X]}", "f:1:22: `X` is an alias of `a` already"),
        ("hosts: {A: b, c: 'a:80'}", "f:1:15: `a:80` has aliases itself; it cannot be one"),
        ("hosts: {a: x, b: 'X:443'}", "f:1:15: `X:443` is an alias of `a` already"),
        ("hosts: {'*.a': x}", "f:1:9: `*.a`: want one host, no stars"),
        ("hosts: {a: '*.b'}", "f:1:9: `*.b`: an alias is one host, without stars"),
        (
            f"{HEAD}  set: {{ttl: 1s}}\n- name: a\n  set: {{ttl: 1s}}",
            "f:4:3: a second rule `a`; the f",
        ),
    ],
)
def test_a_file_is_checked_as_a_whole(text, said):
    assert any(complaint.startswith(said) for complaint in refusal(text)), refusal(text)


def test_origins_that_an_edge_lacks_are_named():
    file = load_policies((HEAD + "  set: {origin: far}").encode(), "f")
    assert unknown_origins(file, ("near", "far")) == []
    (complaint,) = unknown_origins(file, ("near", "other"))
    assert complaint.place.line == 2
    assert complaint.text == "`origin`: no group `far`; this edge has near, other"


def test_all_complaints_come_at_once_in_the_order_of_the_file_and_not_too_many():
    lines = refusal(HEAD + "  set:\n" + "".join(f"    x{no}: 1\n" for no in range(30)))
    assert lines[0].startswith("f:4:5: unknown key `x0`")
    assert len(lines) == 21
    assert lines[-1].endswith(": and 10 more")


def test_a_file_has_a_bounded_number_of_rules():
    rules = "".join(f"- {{name: r{no}, set: {{slices: true}}}}\n" for no in range(501))
    assert refusal("rules:\n" + rules) == ["f:1:1: `rules`: more than 500; split it"]


def test_the_same_text_has_the_same_epoch_and_no_text_that_of_no_rules():
    text = (HEAD + "  set: {ttl: 3s}").encode()
    assert load_policies(text, "a").epoch == load_policies(text, "b").epoch == epoch_of(text)
    assert epoch_of(text) != epoch_of(text + b"\n")
    assert 0 < epoch_of(text) < 2**48


WORDS = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
PATTERNS = st.from_regex(r"[/*][a-z*./]{0,6}", fullmatch=True).filter(lambda p: p.count("*") < 9)
DURATIONS = st.integers(1, 9_999).map("{}s".format)
SETTINGS = {
    **dict.fromkeys(
        ("bypass", "store", "refuse_set_cookie", "slices", "heuristics"), st.booleans()
    ),
    **{name: DURATIONS for name in known_settings() if name.startswith(("ttl", "stale_"))},
    "heuristic_fraction": st.floats(0, 1),
    "tags": st.lists(WORDS, max_size=3),
    "strip_response": WORDS | st.lists(WORDS, max_size=3),
    "ignore_directives": st.lists(st.sampled_from(["no-store", "private"]), max_size=2),
    "query": st.sampled_from(["all", "none", {"keep": ["a"]}, {"drop": "utm_*", "sort": True}]),
    "tiers": st.lists(st.sampled_from(["memory", "disk"]), unique=True),
    "origin": WORDS,
    "access": st.sampled_from(["open", "signed"]),
}
MATCHES = st.fixed_dictionaries(
    {},
    optional={
        "host": WORDS,
        "path": PATTERNS | st.lists(PATTERNS, min_size=1, max_size=3),
        "method": st.sampled_from(["GET", ["GET", "HEAD"]]),
        "status": st.sampled_from([200, "5xx", [404, "500-503"]]),
        "request_fields": st.dictionaries(WORDS, st.booleans() | WORDS, min_size=1, max_size=2),
    },
)
RULES = st.fixed_dictionaries(
    {"match": MATCHES, "set": st.fixed_dictionaries({}, optional=SETTINGS)}
)
DOCUMENTS = st.lists(RULES, max_size=4).map(
    lambda rules: {"rules": [{"name": f"r{no}", **rule} for no, rule in enumerate(rules)]}
)


@given(DOCUMENTS)
def test_what_is_handed_on_is_what_was_read(document):
    with suppress(PolicyFileError):
        file = load_policies(json.dumps(document).encode(), "f")
        assert PolicyFile.from_mapping(json.loads(json.dumps(file.to_mapping()))) == file
        rendered = file.document.model_dump_json(by_alias=True, exclude_unset=True)
        assert load_policies(rendered.encode(), "f").document == file.document


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 999) | st.text("ab*/- \ud7ff", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=2),
    max_leaves=6,
)
KEYS = st.sampled_from([*known_settings(), "host", "path", "status", "match", "set", "name", "x"])


@given(
    st.fixed_dictionaries(
        {"rules": st.lists(st.dictionaries(KEYS, ANYTHING | st.dictionaries(KEYS, ANYTHING)))},
        optional={"hosts": ANYTHING, "x": ANYTHING},
    )
    | ANYTHING
)
def test_no_document_breaks_the_loader(document):
    with suppress(PolicyFileError):
        load_policies(json.dumps(document, ensure_ascii=False).encode(), "f")


def test_complaints_as_json_has_them():
    with pytest.raises(PolicyFileError) as error:
        load_policies((HEAD + "  set: {tlt: 3s}\n").encode(), "f")
    message = "unknown key `tlt`; did you mean `ttl`?"
    assert error.value.to_list() == [{"line": 3, "column": 9, "message": message}]
