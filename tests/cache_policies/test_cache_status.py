"""What Cache-Status says is a structured list that others can read."""

import http_sf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_policies.cache_status import CacheStatus, Forward, render
from cache_policies.why import Why


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (CacheStatus(ttl_s=57), b"amaro-edge; hit; ttl=57"),
        (
            CacheStatus(ttl_s=-3, detail="stale-allowed"),
            b"amaro-edge; hit; ttl=-3; detail=stale-allowed",
        ),
        (CacheStatus(forward=Forward.BYPASS), b"amaro-edge; fwd=bypass"),
        (
            CacheStatus(
                forward=Forward.URI_MISS,
                forward_status=200,
                stored=True,
                collapsed=True,
                ttl_s=60,
            ),
            b"amaro-edge; fwd=uri-miss; fwd-status=200; stored; collapsed; ttl=60",
        ),
        (
            CacheStatus(forward=Forward.MISS, detail='a "b"\\'),
            b'amaro-edge; fwd=miss; detail="a \\"b\\"\\\\"',
        ),
    ],
    ids=repr,
)
def test_render(status, text):
    assert render(status) == text


def test_a_cache_may_have_another_name():
    assert render(CacheStatus(), cache=b"north") == b"north; hit"


@given(
    st.none() | st.sampled_from(Forward),
    st.none() | st.integers(100, 599),
    st.none() | st.integers(-(2**31), 2**31),
    st.booleans(),
    st.none() | st.sampled_from([why.value for why in Why]) | st.text(max_size=20),
)
def test_what_is_rendered_parses(forward, forward_status, ttl_s, flag, detail):
    line = render(
        CacheStatus(
            forward=forward,
            forward_status=forward_status,
            ttl_s=ttl_s,
            stored=flag,
            collapsed=flag,
            detail=detail,
        )
    )
    [(name, parameters)] = http_sf.parse(line, tltype="list")
    assert str(name) == "amaro-edge"
    assert ("hit" in parameters) == (forward is None)
    if forward is not None:
        assert str(parameters["fwd"]) == forward.value.decode()
        assert parameters.get("stored", False) is flag
    assert parameters.get("ttl") == ttl_s
    assert ("detail" in parameters) == (detail is not None)
