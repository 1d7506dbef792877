"""Two targets share a key only when they differ by access token and CMCD alone."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cache_policies.key import (
    TOKEN_BYTES_MIN,
    cache_key,
    hides_token,
    normalise,
    split_token,
    without_tokens,
)

TOKEN = b"c8fDuZRn-42pB1jwYLJWJWEgMTc5NTI1NTI2_CAw"
PARTS = st.sampled_from(
    [b"CMCD=", b"CMCD=bl%3D100%2Cbr%3D2", b"CMCD", b"cmcd=1", b"XCMCD=1", b"a=1", b"a=CMCD=1", b""]
)
TARGETS = st.builds(
    lambda path, parts: path if parts is None else path + b"?" + b"&".join(parts),
    st.sampled_from(
        [
            *(b"/", b"/v/a.m4s", b"/CMCD=1", b"/v/%2e%2E/a", b"*", b"/a;CMCD=1", b"/~a/b"),
            *(b"/~" + TOKEN, b"/~" + TOKEN + b"/v/a.m4s", b"/v/~" + TOKEN + b"/a"),
            b"/~" + TOKEN + b"/~" + TOKEN + b"/",
        ]
    ),
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


@pytest.mark.parametrize(
    ("target", "token", "path_key", "cmcd"),
    [
        (b"/~%b/a.m4s" % TOKEN, TOKEN, b"/a.m4s", b""),
        (b"/~%b/" % TOKEN, TOKEN, b"/", b""),
        (b"/~%b/a?x=1&CMCD=m" % TOKEN, TOKEN, b"/a?x=1", b"m"),
        (b"/~%b/a?CMCD=m&x=1" % TOKEN, TOKEN, b"/a?x=1", b"m"),
        (b"/~%b/~%b/a" % (TOKEN, TOKEN), TOKEN + b"/~" + TOKEN, b"/a", b""),
        (b"/~%b/~b/a" % TOKEN, TOKEN, b"/~b/a", b""),
        (b"/~%b//a" % TOKEN, TOKEN, b"//a", b""),
        (b"/~%b/a" % TOKEN[:-1], b"", b"/~%b/a" % TOKEN[:-1], b""),  # somebody's home page
        (b"/~%b" % TOKEN, TOKEN, b"/", b""),
        (b"/~%b?a=/" % TOKEN, TOKEN, b"/?a=/", b""),
        (b"/~%b%%2Fa" % TOKEN, b"", b"/~%b%%2Fa" % TOKEN, b""),
        (b"/%%7E%b/a" % TOKEN, b"", b"/%%7E%b/a" % TOKEN, b""),
        (b"//~%b/a" % TOKEN, b"", b"//~%b/a" % TOKEN, b""),
        (b"/v/~%b/a" % TOKEN, b"", b"/v/~%b/a" % TOKEN, b""),
        (b"/a?/~%b/" % TOKEN, b"", b"/a?/~%b/" % TOKEN, b""),
    ],
    ids=repr,
)
def test_a_token_is_no_part_of_the_key(target, token, path_key, cmcd):
    assert normalise(target) == (token, path_key, cmcd)
    assert split_token(target)[0] == token


@pytest.mark.parametrize(
    ("target", "hidden"),
    [
        (b"/%%7E%b/a" % TOKEN, True),
        (b"/%%7e%b" % TOKEN, True),
        (b"//~%b/a?b" % TOKEN, True),
        (b"/~%b%%2Fa" % TOKEN, True),
        (b"/~%%%02x%b/a" % (TOKEN[0], TOKEN[1:]), True),
        (b"/~%b/a" % TOKEN, False),  # it is taken off
        (b"/~%b.jpg" % TOKEN, False),
        (b"/%%7E%b/a" % TOKEN[:39], False),
        (b"/%%7Esomebody/a?b=/~%b/" % TOKEN, False),
        (b"/v/~%b/a" % TOKEN, False),
        (b"/", False),
    ],
    ids=repr,
)
def test_a_token_may_be_hidden(target, hidden):
    assert hides_token(target) is hidden


@pytest.mark.parametrize(
    ("url", "bare"),
    [
        (b"https://edge.example/~%b/v/a.html" % TOKEN, b"https://edge.example/v/a.html"),
        (b"https://edge.example/~%b" % TOKEN, b"https://edge.example"),
        (b"https://edge.example/~alice/a", b"https://edge.example/~alice/a"),
        (b"https://edge.example/a", b"https://edge.example/a"),
        (b"", b""),
    ],
    ids=repr,
)
def test_a_url_can_be_told_without_its_token(url, bare):
    assert without_tokens(url) == bare


def test_a_token_is_longer_than_a_users_name():
    assert len(TOKEN) == TOKEN_BYTES_MIN > 32


def without_token_and_cmcd(target: bytes) -> tuple[bytes, list[bytes] | None]:
    """The readable definition: what remains once a token and CMCD parameters are taken away."""
    while target.startswith(b"/~" + TOKEN):
        rest = target.removeprefix(b"/~" + TOKEN)
        if rest[:1] not in (b"/", b"?", b""):
            break
        target = rest if rest.startswith(b"/") else b"/" + rest
    path, mark, query = target.partition(b"?")
    kept = [part for part in query.split(b"&") if not part.startswith(b"CMCD=")] if mark else []
    return path, kept or None


@given(TARGETS)
@example(b"/?CMCD=&")
def test_normalising_twice_changes_nothing(target):
    _, key, _ = normalise(target)
    assert normalise(key) == (b"", key, b"")


@given(TARGETS, TARGETS)
def test_targets_share_a_key_only_when_they_differ_by_token_or_cmcd(one, other):
    same_key = normalise(one)[1] == normalise(other)[1]
    assert same_key == (without_token_and_cmcd(one) == without_token_and_cmcd(other))


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
