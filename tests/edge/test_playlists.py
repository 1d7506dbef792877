"""Playlists as players get them, and as nobody should write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.playlists import (
    SEGMENTS_MAX,
    MediaPlaylist,
    MultivariantPlaylist,
    Rendition,
    Segment,
    is_playlist,
    parse,
    resolve,
)
from tests.support.table import table

BASE = "http://a.example/v/k3jd72lqafh5xz7a/main.m3u8"
DIRECTORY = "http://a.example/v/k3jd72lqafh5xz7a/"


def test_a_media_playlist():
    body = b"""#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:4
#EXT-X-MAP:URI="init.mp4"
#EXTINF:4.000,
a.m4s
#EXTINF:3.5,with a title
/v/k3jd72lqafh5xz7a/b.m4s
#EXT-X-MAP:URI="init.mp4"
#EXTINF:2
#EXT-X-BYTERANGE:1000@0
c.m4s
#EXTINF:nan and more
d.m4s
#EXTINF:2
http://elsewhere.example/e.m4s
f-without-duration.m4s
#EXT-X-ENDLIST
"""
    assert parse(BASE, body.replace(b"\n", b"\r\n")) == MediaPlaylist(
        segments=(
            Segment(f"{DIRECTORY}a.m4s", 4.0),
            Segment(f"{DIRECTORY}b.m4s", 3.5),
            Segment(f"{DIRECTORY}c.m4s", 2.0, True),
        ),
        sections=(f"{DIRECTORY}init.mp4",),
    )


def test_a_live_playlist():
    found = parse(BASE, b"#EXTM3U\n#EXTINF:2,\na.ts\n")
    assert isinstance(found, MediaPlaylist)
    assert not found.has_ended


def test_a_multivariant_playlist():
    body = b"""#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="x, y",DEFAULT=YES,URI="audio.m3u8"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",URI="text.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=1200000,CODECS="avc1.4d401f,mp4a.40.2",AUDIO="a"
low.m3u8
#EXT-X-STREAM-INF:CODECS="avc1.4d401f"
../k3jd72lqafh5xz7a/high.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=90000,URI="frames.m3u8"
"""
    assert parse(BASE, body) == MultivariantPlaylist(
        renditions=(
            Rendition(f"{DIRECTORY}audio.m3u8", 0),
            Rendition(f"{DIRECTORY}low.m3u8", 1_200_000),
            Rendition(f"{DIRECTORY}high.m3u8", 0),
        )
    )


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"#EXTM3U", b"<html>", b"\n#EXTM3U\n#EXTINF:1,\na.ts", b"#EXTM3U\na.ts\n"),
        b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n",
        b"#EXTM3U\n#EXTINF:1,\na.ts\n" + b"#" * (1 << 19),
        b"#EXTM3U\n#EXTINF:-1,\na.ts\n",
        b"#EXTM3U\n#EXTINF:1e9,\na.ts\n",
    ],
)
def test_what_is_no_playlist(body):
    assert parse(BASE, body) is None


def test_a_long_playlist_ends():
    body = b"#EXTM3U\n" + b"#EXTINF:1,\na.ts\n" * (SEGMENTS_MAX + 1)
    found = parse(BASE, body)
    assert isinstance(found, MediaPlaylist)
    assert len(found.segments) == SEGMENTS_MAX


@pytest.mark.parametrize("case", table("""
    reference                      key
    b.ts                           http://a.example/v/k3jd72lqafh5xz7a/b.ts
    ../b.ts                        http://a.example/v/b.ts
    /b.ts                          http://a.example/b.ts
    b.ts?x=1#frag                  http://a.example/v/k3jd72lqafh5xz7a/b.ts?x=1
    //a.example/b.ts               http://a.example/b.ts
    https://a.example/b.ts         none
    //a.example.evil/b.ts          none
    //a.example@evil/b.ts          none
    http://[/b.ts                  none
    data:,x                        none
"""), ids=str)  # fmt: skip
def test_references(case):
    assert (resolve(BASE, case["reference"]) or "none") == case["key"]


def test_references_that_no_key_has():
    assert resolve(BASE, "a b.ts") is None
    assert resolve(BASE, "ü.ts") is None
    assert resolve(BASE, "a" * 513) is None
    assert resolve(f"http://a/{'b' * 300}/c", "a" * 400) is None


def test_names():
    assert is_playlist("http://a/b.m3u8?x=.ts")
    assert not is_playlist("http://a/b.ts?x=.m3u8")


@given(st.binary(max_size=400) | st.text(max_size=400).map(lambda text: text.encode()))
def test_whatever_passes_through_breaks_nothing(body):
    for found in (parse(BASE, body), parse(BASE, b"#EXTM3U\n#EXTINF:1,\n" + body)):
        if isinstance(found, MediaPlaylist):
            assert all(each.key.startswith("http://a.example/") for each in found.segments)
