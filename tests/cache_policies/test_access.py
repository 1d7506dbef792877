"""What is minted opens what was granted, for as long, and nothing else does."""

import base64
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_policies.access import TOKEN_BYTES_MAX, Denial, Grant, bucket_end, mint, verify
from cache_policies.access_path import PREFIX_BYTES_MAX
from cache_policies.access_ring import parse_ring
from cache_policies.key import TOKEN_BYTES_MIN

NOW = 1_795_255_200.5
SECRETS = {
    name: base64.b64encode(bytes([number]) * 32).decode() for number, name in enumerate("abc")
}
RING = parse_ring(f"key a {SECRETS['a']}")
GRANT = Grant(prefix=b"/v/abc/", expires_wall=int(NOW) + 60)
TARGET = b"/v/abc/main.m3u8"

SEGMENTS = st.text("abcXYZ019._~-", min_size=1, max_size=9).filter(lambda s: s[0] != ".")
GRANTS = st.builds(
    Grant,
    prefix=st.lists(SEGMENTS, min_size=1, max_size=4).map(
        lambda s: "/".join(["", *s, ""]).encode()
    ),
    expires_wall=st.integers(int(NOW) + 1, 1 << 40),
    region=st.sampled_from([b"", b"north", b"eu-1"]),
    network=st.sampled_from([b"", b"192.0.2.0/24", b"2001:db8::/48", b"192.0.2.7/32"]),
)


def ring_of(*lines: str) -> object:
    return parse_ring("\n".join(line.format(**SECRETS) for line in lines))


@given(GRANTS)
def test_what_is_minted_verifies_as_it_was_granted(grant):
    token = mint(RING, grant, NOW)
    assert verify(RING, token, NOW) == grant
    assert TOKEN_BYTES_MIN <= len(token) <= TOKEN_BYTES_MAX
    assert token.replace(b"-", b"").replace(b"_", b"").isalnum()


@given(GRANTS, st.data())
def test_a_token_that_was_changed_anywhere_opens_nothing(grant, data):
    token = mint(RING, grant, NOW)
    at = data.draw(st.integers(0, len(token) - 1))
    byte = data.draw(st.sampled_from(b"Aa0-_./%+=\xff").filter(lambda b: b != token[at]))
    changed = token[:at] + bytes([byte]) + token[at + 1 :]
    assert verify(RING, changed, NOW) in (Denial.FORGED, Denial.KEY, Denial.MALFORMED)


@given(st.binary(max_size=600))
def test_no_bytes_are_too_odd_to_be_refused(token):
    assert isinstance(verify(RING, token, NOW), Denial)


@given(st.binary(min_size=16, max_size=120))
def test_no_text_is_too_odd_to_be_refused(raw):
    token = base64.urlsafe_b64encode(raw).rstrip(b"=")
    assert isinstance(verify(RING, token, NOW), Denial)


@given(GRANTS, st.floats(0.0, 1e10))
def test_a_token_opens_until_it_expires_and_never_after(grant, now_wall):
    found = verify(RING, mint(RING, grant, NOW), now_wall)
    assert found == (grant if now_wall < grant.expires_wall else Denial.EXPIRED)


def test_grace_keeps_open_what_has_expired_but_not_what_was_revoked():
    ring = ring_of("key a {a}", "grace 1h")
    token = mint(ring, GRANT, NOW)
    assert verify(ring, token, GRANT.expires_wall + 3_599) == GRANT
    assert verify(ring, token, GRANT.expires_wall + 3_600) is Denial.EXPIRED
    revoked = ring_of("key a {a}", "grace 1h", "revoke 1 /v/")
    assert verify(revoked, token, GRANT.expires_wall + 1) is Denial.REVOKED


def test_only_the_shortest_spelling_is_a_token():
    token = mint(RING, Grant(prefix=b"/v/abcd/", expires_wall=GRANT.expires_wall), NOW)
    raw = base64.urlsafe_b64decode(token + b"=" * (-len(token) % 4))
    for grant in (GRANT, Grant(prefix=b"/v/a/", expires_wall=GRANT.expires_wall)):
        token = mint(RING, grant, NOW)
        for spelling in (token + b"=", token + b"==", b" " + token, token + b"\n"):
            assert verify(RING, spelling, NOW) is Denial.MALFORMED
    assert verify(RING, base64.b64encode(raw + b"?>"), NOW) is Denial.MALFORMED  # "+" or "/"


def test_the_longest_grant_fits_into_a_token():
    longest = Grant(
        prefix=b"/" + b"a" * (PREFIX_BYTES_MAX - 2) + b"/",
        expires_wall=10**12,
        region=b"r" * 32,
        network=b"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128",
    )
    ring = parse_ring(f"key {'k' * 16} {SECRETS['a']}\nrevoke {10**9 - 1} /")
    token = mint(ring, longest, NOW)
    assert verify(ring, token, NOW) == longest
    assert len(token) <= TOKEN_BYTES_MAX
    assert verify(ring, b"A" * (TOKEN_BYTES_MAX + 1), NOW) is Denial.MALFORMED


def test_bits_that_mean_nothing_are_no_other_spelling():
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for length in range(1, 4):
        token = mint(RING, Grant(prefix=b"/" + b"x" * length + b"/", expires_wall=1 << 31), NOW)
        if len(token) % 4:
            after = alphabet[alphabet.index(token[-1]) + 1]
            assert verify(RING, token[:-1] + bytes([after]), NOW) is Denial.MALFORMED


def test_a_key_opens_for_as_long_as_it_is_in_the_ring():
    old, new = ring_of("key a {a}"), ring_of("key a {a}", "key b {b}")
    of_old, of_new = mint(old, GRANT, NOW), mint(new, GRANT, NOW)
    assert of_old != of_new
    assert verify(new, of_old, NOW) == verify(new, of_new, NOW) == GRANT
    assert verify(ring_of("key b {b}"), of_old, NOW) is Denial.KEY
    assert verify(old, of_new, NOW) is Denial.KEY
    assert verify(ring_of("key a {b}"), of_old, NOW) is Denial.FORGED


def test_a_new_key_signs_when_its_time_has_come():
    ring = ring_of("key a {a}", "key b {b} from 2026-11-22T00:00:00Z")
    begins = ring.keys[b"b"].from_wall
    assert mint(ring, GRANT, begins - 1) == mint(ring_of("key a {a}"), GRANT, NOW)
    assert mint(ring, GRANT, begins) == mint(ring_of("key b {b}"), GRANT, NOW)


def test_what_was_signed_before_a_revocation_opens_no_more():
    before, after = ring_of("key a {a}"), ring_of("key a {a}", "revoke 4 /v/abc/")
    old, new = mint(before, GRANT, NOW), mint(after, GRANT, NOW)
    other = Grant(prefix=b"/v/abd/", expires_wall=GRANT.expires_wall)
    assert verify(after, old, NOW) is Denial.REVOKED
    assert verify(after, new, NOW) == GRANT
    assert verify(before, new, NOW) == GRANT  # a revocation is dropped when all have expired
    assert verify(after, mint(before, other, NOW), NOW) == other
    assert verify(ring_of("key a {a}", "revoke 5 /"), new, NOW) is Denial.REVOKED


@pytest.mark.parametrize("text", [b"a soon 0 /v/ - -", b"a 9999999999 x /v/ - -"])
def test_what_another_writer_signs_with_our_key_is_no_error(text):
    mac = hmac.digest(RING.keys[b"a"].secret, b"amaro-access-1\n" + text, "sha256")[:16]
    token = base64.urlsafe_b64encode(mac + text).rstrip(b"=")
    assert verify(RING, token, NOW) is Denial.MALFORMED


def test_a_key_signs_nothing_but_tokens():
    raw = base64.urlsafe_b64decode(mint(RING, GRANT, NOW) + b"==")
    text = raw[16:]
    assert text == b"a %d 0 /v/abc/ - -" % GRANT.expires_wall
    plain = hmac.digest(RING.keys[b"a"].secret, text, "sha256")[:16]
    forged = base64.urlsafe_b64encode(plain + text).rstrip(b"=")
    assert verify(RING, forged, NOW) is Denial.FORGED


@pytest.mark.parametrize(
    ("grant", "target", "region", "denial"),
    [
        ({}, TARGET, b"", None),
        ({}, TARGET, b"north", None),
        ({}, b"/v/abd/main.m3u8", b"", Denial.PREFIX),
        ({}, b"/v/abc", b"", Denial.PREFIX),
        ({}, b"/v/abc/../abd/main.m3u8", b"", Denial.PATH),
        ({}, b"/v/abc/..%2fabd/main.m3u8", b"", Denial.PATH),
        ({}, b"/v/abc//x", b"", Denial.PATH),
        ({"region": b"north"}, TARGET, b"north", None),
        ({"region": b"north"}, TARGET, b"south", Denial.REGION),
        ({"region": b"north"}, TARGET, b"", Denial.REGION),
    ],
    ids=repr,
)
def test_a_grant_opens_its_prefix_in_its_region(grant, target, region, denial):
    granted = Grant(prefix=b"/v/abc/", expires_wall=1, **grant)
    assert granted.denial(target, region) is denial


@pytest.mark.parametrize(
    ("network", "client", "is_for"),
    [
        (b"", b"192.0.2.7", True),
        (b"", b"unknown", True),
        (b"192.0.2.0/24", b"192.0.2.7", True),
        (b"192.0.2.0/24", b"192.0.3.7", False),
        (b"192.0.2.0/24", b"2001:db8::1", False),
        (b"192.0.2.0/24", b"unknown", False),
        (b"192.0.2.0/24", b"", False),
        (b"2001:db8::/48", b"2001:db8::1", True),
        (b"2001:db8::/48", b"2001:db8:1::1", False),
    ],
    ids=repr,
)
def test_a_grant_is_for_its_network(network, client, is_for):
    granted = Grant(prefix=b"/", expires_wall=1, network=network)
    assert granted.is_for(client) is is_for


@pytest.mark.parametrize(
    "wrong",
    [
        {"prefix": b"/v/abc"},
        {"prefix": b"/v/a b/"},
        {"prefix": b"/"},
        {"prefix": b"/~" + b"A" * 40 + b"/v/"},
        {"region": b"North"},
        {"region": b"-"},
        {"network": b"192.0.2.1/24"},
        {"network": b"anywhere"},
    ],
    ids=repr,
)
def test_nothing_is_granted_that_no_token_can_say(wrong):
    with pytest.raises(ValueError):
        mint(RING, Grant(**{"prefix": b"/v/abc/", "expires_wall": 1, **wrong}), NOW)


@given(st.floats(0.0, 1e10), st.floats(0.0, 1e6))
def test_a_bucket_lasts_for_what_is_needed_and_two_are_valid_at_once(now_wall, needed_s):
    end = bucket_end(now_wall, needed_s=needed_s)
    assert end % 3600 == 0
    assert now_wall + max(3600.0, needed_s - 1) < end <= now_wall + max(3600.0, needed_s) + 7200
    same = bucket_end((now_wall // 3600) * 3600, needed_s=needed_s)
    assert same == end  # whoever asks in one bucket gets the same token
    assert bucket_end(now_wall + 3600, needed_s=needed_s) - end in (3600, 7200)  # floats round
