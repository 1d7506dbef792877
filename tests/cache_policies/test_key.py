"""Two targets share a key only when they differ by CMCD alone."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cache_policies.key import cache_key, normalise

PARTS = st.sampled_from(
    [b"CMCD=", b"CMCD=bl%3D100%2Cbr%3D2", b"CMCD", b"cmcd=1", b"XCMCD=1", b"a=1", b"a=CMCD=1", b""]
)
TARGETS = st.builds(
    lambda path, parts: path if parts is None else path + b"?" + b"&".join(parts),
    st.sampled_from([b"/", b"/v/a.m4s", b"/CMCD=1", b"/v/%2e%2E/a", b"*", b"/a;CMCD=1"]),
    st.none() | st.lists(PARTS | st.text("CMD=&?aé", max_size=9).map(str.encode), max_size=5),
)


@pytest.mark.parametrize(
    ("target", "path_key", "cmcd"),
    [
        (b"/a.m4s", b"/a.m4s", b""),
        (b"/a.m4s?", b"/a.m4s?", b""),
        (b"/a.m4s?CMCD=bl%3D1", b"/a.m4s", b"bl%3D1"),
        (b"/a.m4s?CMCD=", b"/a.m4s", b""),
        (b"/a?x=1&CMCD=m", b"/a?x=1", b"m"),
        (b"/a?CMCD=m&x=1", b"/a?x=1", b"m"),
        (b"/a?x=1&CMCD=m&y=2", b"/a?x=1&y=2", b"m"),
        (b"/a?CMCD=m&CMCD=n", b"/a", b"m&n"),
        (b"/a?&CMCD=m", b"/a?", b"m"),
        (b"/a?CMCD", b"/a?CMCD", b""),
        (b"/a?cmcd=m", b"/a?cmcd=m", b""),
        (b"/a?xCMCD=m", b"/a?xCMCD=m", b""),
        (b"/a?x=?CMCD=m", b"/a?x=?CMCD=m", b""),
        (b"/CMCD=m", b"/CMCD=m", b""),
        (b"/a%2F..//b?B=%20&b=+", b"/a%2F..//b?B=%20&b=+", b""),
    ],
    ids=repr,
)
def test_normalise(target, path_key, cmcd):
    assert normalise(target) == (b"", path_key, cmcd)


def without_cmcd(target: bytes) -> tuple[bytes, list[bytes] | None]:
    """The readable definition: what remains of a target once CMCD parameters are taken away."""
    path, mark, query = target.partition(b"?")
    kept = [part for part in query.split(b"&") if not part.startswith(b"CMCD=")] if mark else []
    return path, kept or None


@given(TARGETS)
@example(b"/?CMCD=&")
def test_normalising_twice_changes_nothing(target):
    _, key, _ = normalise(target)
    assert normalise(key) == (b"", key, b"")


@given(TARGETS, TARGETS)
def test_targets_share_a_key_only_when_they_differ_by_cmcd(one, other):
    same_key = normalise(one)[1] == normalise(other)[1]
    assert same_key == (without_cmcd(one) == without_cmcd(other))


@pytest.mark.parametrize(
    ("scheme", "host", "key"),
    [
        (b"http", b"Example.ORG", b"http://example.org/A"),
        (b"http", b"example.org:80", b"http://example.org/A"),
        (b"https", b"example.org:80", b"https://example.org:80/A"),
        (b"HTTPS", b"[::1]:443", b"https://[::1]/A"),
        (b"http", b"example.org:8080", b"http://example.org:8080/A"),
        (b"ws", b"example.org", b"ws://example.org/A"),
    ],
)
def test_cache_key(scheme, host, key):
    assert cache_key(scheme, host, b"/A") == key
