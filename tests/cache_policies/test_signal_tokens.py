"""Tokens of realtime signals: what was minted is read again, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_policies.signal_tokens import Claims, Refused, is_topic, key_from, mint, verify

KEY = key_from("a secret")
CLAIMS = Claims("ada", ("story:8f3a", "feed:*"), 2_000.0)

names = st.text("abcXYZ019_-", min_size=1, max_size=20)
topics = st.builds("{}:{}".format, st.text("abz", min_size=1, max_size=9), names | st.just("*"))
claims = st.builds(
    Claims,
    names,
    st.lists(topics, min_size=1, max_size=8).map(tuple),
    st.integers(1, 10**11).map(float),
)


@given(claims)
def test_what_is_minted_can_be_read(said: Claims) -> None:
    token = mint(said, KEY)
    assert verify(token, KEY, said.expires_wall - 1.0) == said
    assert verify(token, KEY, said.expires_wall) is Refused.EXPIRED


@given(claims, st.data())
def test_no_other_text_is_one(said: Claims, data: st.DataObject) -> None:
    token = mint(said, KEY)
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(max_codepoint=0x2FF).filter(lambda each: each != token[at]))
    # the last character of base64 has bits that nobody reads: they have to be the ones we write
    assert verify(token[:at] + other + token[at + 1 :], KEY, 0.0) in (Refused.FORM, Refused.FORGED)


def test_another_key_forges_nothing() -> None:
    assert verify(mint(CLAIMS, key_from("another")), KEY, 0.0) is Refused.FORGED


@pytest.mark.parametrize(
    "said",
    [
        Claims("", ("story:a",), 1.0),
        Claims("a.b", ("story:a",), 1.0),
        Claims("ada", (), 1.0),
        Claims("ada", ("story:a,b",), 1.0),
        Claims("ada", ("*",), 1.0),
        Claims("ada", ("story:a",), -1.0),
        Claims("ada", tuple(f"story:{each:060}" for each in range(9)), 1.0),
    ],
)
def test_claims_that_make_no_token(said: Claims) -> None:
    with pytest.raises(ValueError, match="make no token"):
        mint(said, KEY)


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
