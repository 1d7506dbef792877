"""Tags as CDNs in front read them: what is shown and what is purged by are the same words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_policies.provider_tags import LINE_BYTES_MAX, ProviderKind, spelled, tag_line
from tests.support.table import table

CLOUDFLARE, FASTLY = ProviderKind.CLOUDFLARE, ProviderKind.FASTLY


@pytest.mark.parametrize(
    "case",
    table("""
    provider    tag       spelled
    cloudflare  asset-a   asset-a
    fastly      asset-a   asset-a
    cloudflare  a,b       a%2cb
    fastly      a,b       a,b
    fastly      50%       50%25
    fastly      küche     k%c3%bcche
"""),
    ids=str,
)
def test_a_tag_is_one_word(case):
    provider = ProviderKind(case["provider"])
    assert spelled(provider, case["tag"].encode()).decode() == case["spelled"]


def test_a_line_is_named_and_separated_as_the_provider_has_it():
    assert tag_line(CLOUDFLARE, (b"a", b"b")) == (b"cache-tag", b"a,b")
    assert tag_line(FASTLY, (b"a", b"b")) == (b"surrogate-key", b"a b")
    assert tag_line(FASTLY, ()) is None


@given(st.sampled_from(ProviderKind), st.lists(st.binary(min_size=1, max_size=9), max_size=9))
def test_a_list_holds_the_words_by_which_it_is_purged(provider, tags):
    line = tag_line(provider, tags)
    words = [] if line is None else line[1].split(b"," if provider is CLOUDFLARE else b" ")
    assert words == [spelled(provider, tag) for tag in tags]
    assert all(0x21 <= byte <= 0x7E for word in words for byte in word)


@given(st.sampled_from(ProviderKind), st.sets(st.binary(min_size=1, max_size=5), max_size=9))
def test_no_two_tags_become_one(provider, tags):
    assert len({spelled(provider, tag) for tag in tags}) == len(tags)


def test_a_line_that_no_provider_would_read_to_its_end_is_cut_between_tags():
    tags = [b"%04d" % number + b"x" * 96 for number in range(256)]
    line = tag_line(FASTLY, tags)
    assert line is not None
    assert line[1].split() == tags[: len(line[1].split())]
    assert LINE_BYTES_MAX - 101 < len(line[1]) <= LINE_BYTES_MAX
