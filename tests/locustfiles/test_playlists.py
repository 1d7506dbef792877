"""How the load's viewers read playlists."""

from __future__ import annotations

import pytest

from locustfiles.playlists import PlaylistError, choose, parse_media, parse_multivariant

URL = "http://edge/v/abc/main.m3u8?CMCD=ot%3Dm"
MAIN = """#EXTM3U
#EXT-X-VERSION:7
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="Sound, loud",DEFAULT=YES,URI="audio.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=2000000,CODECS="avc1.64001f,mp4a.40.2",AUDIO="sound"
720p.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=500000,CODECS="avc1.64001f,mp4a.40.2",AUDIO="sound"
/elsewhere/240p.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1000,URI="iframes-720p.m3u8"
"""
MEDIA = """#EXTM3U
#EXT-X-TARGETDURATION:4
#EXT-X-MAP:URI="init.mp4"
#EXTINF:4.000,
0.m4s
#EXTINF:3.5,title
1.m4s
#EXT-X-ENDLIST
"""


def test_variants_from_the_lightest_to_the_heaviest():
    found = parse_multivariant(MAIN, URL)
    assert [(v.bandwidth_bps, v.url) for v in found.variants] == [
        (500_000, "http://edge/elsewhere/240p.m3u8"),
        (2_000_000, "http://edge/v/abc/720p.m3u8"),
    ]
    assert found.audio_url == "http://edge/v/abc/audio.m3u8"


def test_segments_in_order():
    found = parse_media(MEDIA, "http://edge/v/abc/720p.m3u8")
    assert found.init_url == "http://edge/v/abc/init.mp4"
    assert [(s.url, s.duration_s) for s in found.segments] == [
        ("http://edge/v/abc/0.m4s", 4.0),
        ("http://edge/v/abc/1.m4s", 3.5),
    ]
    assert found.is_ended
    assert not parse_media(MEDIA.replace("#EXT-X-ENDLIST", ""), URL).is_ended


@pytest.mark.parametrize("text", ["", "<html>", "#EXTM3U\n", "#EXTM3U\n#EXT-X-ENDLIST\n"])
def test_what_no_player_could_use(text):
    with pytest.raises(PlaylistError):
        parse_multivariant(text, URL)
    with pytest.raises(PlaylistError):
        parse_media(text, URL)


@pytest.mark.parametrize(
    ("throughput_bps", "bandwidth_bps"),
    [(0, 500_000), (625_000, 500_000), (2_499_999, 500_000), (2_500_000, 2_000_000)],
)
def test_the_choice_leaves_a_margin(throughput_bps, bandwidth_bps):
    assert choose(parse_multivariant(MAIN, URL), throughput_bps).bandwidth_bps == bandwidth_bps
