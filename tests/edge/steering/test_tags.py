"""The tag goes into multivariant playlists, once, in the coding that they have."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.steering.tags import (
    PLAYLIST_BYTES_MAX,
    UntaggedError,
    is_playlist,
    tagged_body,
    tagged_fields,
    tagged_text,
)
from tests.support.steering import MULTIVARIANT
from tests.support.table import table

TAG = b'#EXT-X-CONTENT-STEERING:SERVER-URI="https://h/s",PATHWAY-ID="here"'
TAGGED = (
    MULTIVARIANT.replace(b"#EXTM3U\n", b"#EXTM3U\n" + TAG + b"\n")
    .replace(b'AUDIO="sound"\n', b'AUDIO="sound",PATHWAY-ID="here"\n')
    .replace(b'frames.m3u8"\n', b'frames.m3u8",PATHWAY-ID="here"\n')
)


def test_a_multivariant_playlist() -> None:
    assert tagged_text(MULTIVARIANT, TAG) == TAGGED
    assert TAGGED.count(b'PATHWAY-ID="here"') == 4
    crlf = MULTIVARIANT.replace(b"\n", b"\r\n")
    assert tagged_text(crlf, TAG) == TAGGED.replace(b"\n", b"\r\n")
    assert tagged_text(MULTIVARIANT.rstrip(), TAG) == TAGGED.rstrip()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "not-multivariant"),
        (b"#EXTM3U", "not-multivariant"),
        (b"#EXTM3U\n#EXTINF:4,\n1.m4s\n", "not-multivariant"),
        (b"<html>#EXT-X-STREAM-INF:", "not-multivariant"),
        (TAGGED, "steered-already"),
        (MULTIVARIANT.replace(b"AUDIO=", b'PATHWAY-ID="own",AUDIO='), "steered-already"),
    ],
)
def test_all_else_stays_as_it_is(text: bytes, reason: str) -> None:
    with pytest.raises(UntaggedError, match=reason):
        tagged_text(text, TAG)


def test_codings() -> None:
    packed = tagged_body(gzip.compress(MULTIVARIANT), ((b"content-encoding", b"GZIP"),), TAG)
    assert gzip.decompress(packed) == TAGGED
    assert tagged_body(MULTIVARIANT, (), TAG) == TAGGED
    assert tagged_body(MULTIVARIANT, ((b"content-encoding", b"identity"),), TAG) == TAGGED


@pytest.mark.parametrize(
    ("coding", "body", "reason"),
    [
        (b"br", MULTIVARIANT, "coding"),
        (b"gzip, gzip", MULTIVARIANT, "coding"),
        (b"gzip", MULTIVARIANT, "damaged"),
        (b"gzip", gzip.compress(MULTIVARIANT)[:-4], "damaged"),
        (b"gzip", gzip.compress(MULTIVARIANT) + b"more", "damaged"),
        (b"gzip", gzip.compress(b"#" * (PLAYLIST_BYTES_MAX + 1)), "too-large"),
        (b"", b"#" * (PLAYLIST_BYTES_MAX + 1), "too-large"),
    ],
)
def test_bodies_that_stay_as_they_are(coding: bytes, body: bytes, reason: str) -> None:
    with pytest.raises(UntaggedError, match=reason):
        tagged_body(body, ((b"content-encoding", coding),) if coding else (), TAG)


@given(st.binary(), st.sampled_from([b"", b"gzip", b"br"]))
def test_nothing_else_breaks_it(body: bytes, coding: bytes) -> None:
    with pytest.raises(UntaggedError):
        tagged_body(body, ((b"content-encoding", coding),), TAG)


def test_a_validator_is_that_of_the_body() -> None:
    fields = (
        (b"etag", b'"stored"'),
        (b"last-modified", b"Thu, 01 Jan 2026 00:00:00 GMT"),
        (b"content-digest", b"sha-256=:x=:"),
        (b"cache-control", b"max-age=5"),
    )
    cache, etag = tagged_fields(fields, TAGGED)
    assert cache == fields[-1]
    assert etag[0] == b"etag"
    assert len(etag[1]) == 34
    assert etag == tagged_fields((), TAGGED)[-1] != tagged_fields((), MULTIVARIANT)[-1]


@pytest.mark.parametrize(
    "case",
    table("""
        content-type                           playlist
        application/vnd.apple.mpegurl          yes
        Application/X-MpegURL;charset=utf-8    yes
        audio/mpegurl                          yes
        text/html                              no
        -                                      no
    """),
    ids=str,
)
def test_media_types(case: dict[str, str]) -> None:
    value = case["content-type"]
    fields = () if value == "-" else ((b"content-type", value.encode()),)
    assert is_playlist(fields) is (case["playlist"] == "yes")
