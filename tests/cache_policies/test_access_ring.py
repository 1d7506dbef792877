"""A ring of keys says who signs, who opens and what was revoked, or which line is wrong."""

from datetime import UTC, datetime

import pytest

from cache_policies.access_ring import RING_BYTES_MAX, RingError, parse_ring
from tests.support.table import table

SECRET = "A" * 43
OTHER = "-_" + "b" * 41 + "="
TENTH = datetime(2026, 11, 22, 10, tzinfo=UTC).timestamp()


def test_a_ring_is_read():
    ring = parse_ring(f"""
        # who may watch
        key k1 {SECRET}
        key k2 {OTHER} from 2026-11-22T10:00:00Z  # the next one
        revoke 2 /v/abc/
        revoke 1 /v/
        revoke 1 /v/abc/
        grace 90m
    """)
    assert [*ring.keys] == [b"k1", b"k2"]
    assert [len(key.secret) for key in ring.keys.values()] == [32, 32]
    assert ring.keys[b"k2"].from_wall == TENTH
    assert ring.revoked == {b"/v/abc/": 2, b"/v/": 1}
    assert ring.grace_s == 5_400.0


@pytest.mark.parametrize(
    ("keys", "now_wall", "signs"),
    [
        ("a", 0.0, "a"),
        ("a b", 0.0, "b"),
        ("a b@10", TENTH - 1, "a"),
        ("a b@10", TENTH, "b"),
        ("b@10 a", TENTH, "b"),
        ("a@10", 0.0, "a"),  # there is no other
        ("a@11 b@10", 0.0, "a"),
        ("a@11 b@10", TENTH, "b"),
    ],
)
def test_the_last_key_whose_time_has_come_signs(keys, now_wall, signs):
    lines = []
    for each in keys.split():
        name, _, hour = each.partition("@")
        lines.append(f"key {name} {SECRET}" + (f" from 2026-11-22T{hour}:00:00Z" if hour else ""))
    assert parse_ring("\n".join(lines)).signing(now_wall).id == signs.encode()


@pytest.mark.parametrize(
    ("prefix", "number"), [(b"/v/abc/", 3), (b"/v/abcd/", 2), (b"/v/abc/d/", 3), (b"/w/", 0)]
)
def test_the_highest_number_of_what_holds_a_prefix_counts(prefix, number):
    ring = parse_ring(f"key a {SECRET}\nrevoke 3 /v/abc/\nrevoke 2 /v/")
    assert ring.number(prefix) == number
    assert parse_ring(f"key a {SECRET}").number(prefix) == 0


@pytest.mark.parametrize(
    "case",
    table(f"""
    line                          why                                    source
    -                             no key in it                           nothing opens
    revoke 1 /v/                  no key in it                           nothing opens
    key a                         line 1: want `key ID SECRET            words
    key a {SECRET} until 2027     line 1: want `key ID SECRET            words
    keys a {SECRET}               line 1: want `key ID SECRET            words
    key a/b {SECRET}              line 1: a key's id is                  id
    key a short                   line 1: the secret of a is not base64  length
    key a {SECRET[:-1]}           line 1: the secret of a has less       length
    key a {SECRET}*               line 1: the secret of a is not base64  alphabet
    key a {SECRET} from noon      line 1: noon is no time                8601
    grace                         line 1: want `key ID SECRET            words
    grace long                    line 1: grace: a duration is           duration
    revoke 0 /v/                  line 1: want a number from 1 on        number
    revoke one /v/                line 1: want a number from 1 on        number
    revoke 1 /v                   line 1: want a plain path              prefix
    revoke 1 /v/é/                line 1: want a plain path              prefix
    revoke 1 /v/../               line 1: want a plain path              prefix
    """),
    ids=str,
)
def test_a_mistake_is_named_by_its_line(case):
    with pytest.raises(RingError) as caught:
        parse_ring(case["line"])
    assert str(caught.value).startswith(case["why"])


def test_no_complaint_and_no_representation_says_a_secret():
    for text in (f"key a {SECRET} when", f"key a {SECRET}\nkey a {OTHER}", f"key a {SECRET}*"):
        with pytest.raises(RingError) as caught:
            parse_ring(text)
        assert SECRET not in str(caught.value)
    ring = parse_ring(f"key a {SECRET}")
    assert "secret" not in repr(ring)


def test_a_ring_is_bounded():
    with pytest.raises(RingError, match="characters"):
        parse_ring("#" * (RING_BYTES_MAX + 1))
    lines = "\n".join(f"revoke 1 /v/{number}/" for number in range(4097))
    with pytest.raises(RingError, match="more than 4096 revocations"):
        parse_ring(f"key a {SECRET}\n{lines}")


def test_the_same_text_has_the_same_version():
    one, other = parse_ring(f"key a {SECRET}"), parse_ring(f"key a {OTHER}")
    assert one.version == parse_ring(f"key a {SECRET}").version != other.version
