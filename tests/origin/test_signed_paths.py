"""Paths that an origin gives out open for long enough, and are the same for all who ask."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_policies.access import BUCKET_S, verify
from cache_policies.access_ring import parse_ring
from cache_policies.key import split_token
from origin.signed_paths import asset_base, opens_for_s, signed_since

ASSET = "abcdefghijklmnop"
RING = parse_ring(f"key k1 {base64.b64encode(bytes(32)).decode()}")
NOW = 1_795_255_300.0


def test_without_a_ring_paths_are_plain():
    assert asset_base(None, ASSET, 12.0, NOW) == f"/v/{ASSET}"
    assert signed_since(None, NOW) == 0.0
    assert opens_for_s(None, 12.0, NOW) is None


@given(st.none() | st.floats(0.0, 1e5), st.floats(0.0, 4e9))
def test_a_path_opens_for_the_whole_video_from_whenever_it_was_given_out(duration_s, now_wall):
    path = f"{asset_base(RING, ASSET, duration_s, now_wall)}/main.m3u8".encode()
    token, bare = split_token(path)
    assert bare == f"/v/{ASSET}/main.m3u8".encode()
    lasts_s = max(BUCKET_S, duration_s or 0.0)
    grant = verify(RING, token, now_wall + lasts_s - 1)
    assert grant.denial(bare, b"north") is None
    assert grant.is_for(b"192.0.2.1")
    assert grant.expires_wall <= now_wall + lasts_s + 2 * BUCKET_S
    assert opens_for_s(RING, duration_s, now_wall) == grant.expires_wall - now_wall


@pytest.mark.parametrize(("later_s", "same"), [(0.0, True), (3_499.0, True), (3_600.0, False)])
def test_all_who_ask_within_an_hour_get_the_same(later_s, same):
    begun = NOW // BUCKET_S * BUCKET_S
    one, other = (asset_base(RING, ASSET, 12.0, at) for at in (begun, begun + later_s))
    assert (one == other) is same
    assert (signed_since(RING, begun) == signed_since(RING, begun + later_s)) is same
