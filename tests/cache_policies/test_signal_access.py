"""Tokens of realtime signals: what was minted is read again, and nothing else is."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_policies.access import Denial, Grant, mint
from cache_policies.access_ring import Ring, parse_ring
from cache_policies.signal_access import (
    Claims,
    is_topic,
    mint_signals,
    shared_ring,
    verify_signals,
)

RING = shared_ring("a secret")
CLAIMS = Claims("ada", ("story:8f3a", "feed:*"), 2_000.0)

names = st.text("abcXYZ019_-", min_size=1, max_size=20)
topics = st.builds("{}:{}".format, st.text("abz", min_size=1, max_size=9), names | st.just("*"))
claims = st.builds(
    Claims,
    names,
    st.lists(topics, min_size=1, max_size=5).map(tuple),
    st.integers(1, 10**11).map(float),
)


@given(claims)
def test_what_is_minted_can_be_read(said: Claims) -> None:
    token = mint_signals(RING, said, 0.0)
    assert verify_signals(RING, token, said.expires_wall - 1.0) == said
    assert verify_signals(RING, token, said.expires_wall) is Denial.EXPIRED


@given(claims, st.data())
def test_no_other_text_is_one(said: Claims, data: st.DataObject) -> None:
    token = mint_signals(RING, said, 0.0)
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(max_codepoint=0x2FF).filter(lambda each: each != token[at]))
    # the last character of base64 has bits that nobody reads: they have to be the ones we write
    assert verify_signals(RING, token[:at] + other + token[at + 1 :], 0.0) in {
        Denial.MALFORMED,
        Denial.FORGED,
        Denial.KEY,
    }


def test_another_key_forges_nothing() -> None:
    assert (
        verify_signals(RING, mint_signals(shared_ring("another"), CLAIMS, 0.0), 0.0)
        is Denial.FORGED
    )


@pytest.mark.parametrize(
    "said",
    [
        Claims("", ("story:a",), 1.0),
        Claims("a.b", ("story:a",), 1.0),
        Claims("ada", (), 1.0),
        Claims("ada", ("story:a,b",), 1.0),
        Claims("ada", ("*",), 1.0),
        Claims("ada", tuple(f"story:{each:060}" for each in range(9)), 1.0),
    ],
)
def test_claims_that_make_no_token(said: Claims) -> None:
    with pytest.raises(ValueError, match=r"make no token|plain path"):
        mint_signals(RING, said, 0.0)


@pytest.mark.parametrize(
    ("topic", "allowed"),
    [("story:8f3a", True), ("story:8f3b", False), ("feed:north", True), ("feeds:north", False)],
)
def test_topics_that_are_allowed(topic: str, allowed: bool) -> None:
    assert CLAIMS.allows(topic) is allowed


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("story:8f3a", True),
        ("story:*", False),
        ("story", False),
        ("Story:a", False),
        ("a:b\n", False),
    ],
)
def test_names_of_topics(text: str, is_one: bool) -> None:
    assert is_topic(text) is is_one


def ring(*lines: str) -> Ring:
    """A ring with the keys of these numbers, and other lines."""
    secrets = {f"k{no}": base64.b64encode(bytes([no]) * 32).decode() for no in (1, 2)}
    keys = [f"key {line} {secrets[line]}" if line in secrets else line for line in lines]
    return parse_ring("\n".join(keys))


@pytest.mark.parametrize(
    ("followed", "found"),
    [
        (ring("k1"), CLAIMS),
        (ring("k1", "k2"), CLAIMS),
        (ring("k2"), Denial.KEY),
        (ring("k1", "revoke 1 /signals/ada/"), Denial.REVOKED),
        (ring("k1", "revoke 1 /signals/ben/"), CLAIMS),
        (ring("k1", "revoke 1 /"), Denial.REVOKED),
        (ring("k1", "grace 1m"), Claims("ada", CLAIMS.topics, 2_060.0)),
    ],
)
def test_signals_follow_the_ring_of_videos(followed: Ring, found: Claims | Denial) -> None:
    assert verify_signals(followed, mint_signals(ring("k1"), CLAIMS, 0.0), 0.0) == found


@pytest.mark.parametrize(
    ("bound", "found"),
    [
        ({}, CLAIMS),
        ({"region": b"north"}, CLAIMS),
        ({"region": b"south"}, Denial.REGION),
        ({"network": b"192.0.2.0/24"}, CLAIMS),
        ({"network": b"198.51.100.0/24"}, Denial.CLIENT),
        ({"prefix": b"/v/ada/story:*/"}, Denial.PREFIX),
    ],
)
def test_what_an_application_has_minted_for_signals(
    bound: dict[str, bytes], found: Claims | Denial
) -> None:
    prefix = {"prefix": b"/signals/ada/story:8f3a,feed:*/"}
    token = mint(RING, Grant(**(prefix | bound), expires_wall=2_000), 0.0).decode()
    here = {"region": "north", "client": b"192.0.2.7"}
    assert verify_signals(RING, token, 0.0, **here) == found
