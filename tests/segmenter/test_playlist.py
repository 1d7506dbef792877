"""Playlists by RFC 8216: what they say follows from what was packaged."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segmenter.playlist import average_bps, iframes, media, multivariant, peak_bps, resources
from segmenter.rendition import Packaged, Segment


def packaged(
    name="360p", size=(640, 360), lengths=(4.0, 4.0, 2.0), weight=1000, codecs="avc1.64001e"
):
    return Packaged(
        name=name, width=size[0], height=size[1], codecs=codecs, rate=25.0, init=f"{name}.mp4",
        segments=tuple(
            Segment(
                name=f"{name}{n}.m4s", duration_s=s, size=weight * (n + 1), key_bytes=weight // 2
            )
            for n, s in enumerate(lengths)
        ),
    )  # fmt: skip


AUDIO = packaged("audio", (0, 0), weight=100, codecs="mp4a.40.2")


def test_multivariant():
    text = multivariant([packaged("720p", (1280, 720), weight=9000), packaged()], AUDIO).decode()
    assert text.splitlines()[:3] == ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
    lines = [line for line in text.splitlines() if line.startswith("#EXT-X-STREAM-INF")]
    assert lines[0] == (
        "#EXT-X-STREAM-INF:BANDWIDTH=13200,AVERAGE-BANDWIDTH=5280,"
        'CODECS="avc1.64001e,mp4a.40.2",RESOLUTION=640x360,FRAME-RATE=25.000,AUDIO="sound"'
    )
    assert "RESOLUTION=1280x720" in lines[1]  # lightest first
    assert text.count("#EXT-X-I-FRAME-STREAM-INF") == 2
    assert 'TYPE=AUDIO,GROUP-ID="sound"' in text
    assert 'URI="audio.m3u8"' in text


def test_multivariant_without_sound_names_no_group():
    text = multivariant([packaged()], None).decode()
    assert "AUDIO" not in text
    assert 'CODECS="avc1.64001e"' in text


def test_multivariant_of_sound_alone():
    text = multivariant([], AUDIO).decode()
    assert "TYPE=AUDIO" not in text
    assert text.endswith('CODECS="mp4a.40.2"\naudio.m3u8\n')


def test_media():
    assert media(packaged()).decode().splitlines() == [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        "#EXT-X-TARGETDURATION:4",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        '#EXT-X-MAP:URI="360p.mp4"',
        "#EXTINF:4.000000,",
        "360p0.m4s",
        "#EXTINF:4.000000,",
        "360p1.m4s",
        "#EXTINF:2.000000,",
        "360p2.m4s",
        "#EXT-X-ENDLIST",
    ]


def test_iframes_are_ranges_of_the_segments():
    text = iframes(packaged()).decode()
    assert "#EXT-X-I-FRAMES-ONLY" in text
    assert text.count("#EXT-X-BYTERANGE:500@0") == 3


def test_only_the_multivariant_playlist_grows():
    growing = resources([packaged()], AUDIO, complete=False)
    assert {r.name: r.may_grow for r in growing} == {
        "main.m3u8": True, "360p.m3u8": False, "audio.m3u8": False, "iframes-360p.m3u8": False,
    }  # fmt: skip
    assert not any(r.may_grow for r in resources([packaged()], AUDIO, complete=True))


LENGTHS = st.lists(st.floats(0.04, 6.0), min_size=1, max_size=20)


@given(LENGTHS, st.integers(2, 100_000))
def test_laws_of_a_media_playlist(lengths, weight):
    rendition = packaged(lengths=tuple(lengths), weight=weight)
    text = media(rendition).decode()
    target = int(re.search(r"TARGETDURATION:(\d+)", text)[1])
    said = [float(s) for s in re.findall(r"EXTINF:([\d.]+),", text)]
    assert all(round(s) <= target for s in said)  # RFC 8216 §4.3.3.1
    assert said == pytest.approx(lengths, abs=1e-6)
    assert [line for line in text.splitlines() if not line.startswith("#")] == [
        segment.name for segment in rendition.segments
    ]
    assert average_bps(rendition.segments) <= peak_bps(rendition.segments)


@pytest.mark.parametrize(
    ("durations_s", "target_s"),
    [
        ((4.0, 4.4999), 4),
        ((4.5,), 5),  # round() would say 4
        ((2.5,), 3),
        ((5.5, 0.2), 6),
        ((0.04,), 1),
    ],
)
def test_the_target_duration_is_not_below_any_rounded_one(durations_s, target_s):
    text = media(packaged(lengths=durations_s)).decode()
    assert f"#EXT-X-TARGETDURATION:{target_s}\n" in text


@pytest.mark.parametrize(
    ("lengths", "sizes", "bps"),
    [
        ((4.0, 4.0), (4000, 6000), 12_000),
        ((4.0, 4.0, 0.04), (4000, 6000, 3000), 17_822),  # with the one before it, not 600 000
        ((0.04,), (3000,), 600_000),  # nothing else is there
        ((4.0, 1.9), (4000, 4000), 10_848),
        ((1.25, 0.25, 0.125), (2, 4, 6), 60),  # never below the average
    ],
)
def test_a_peak_is_a_run_of_half_to_one_and_a_half_targets(lengths, sizes, bps):
    parts = [
        Segment(name="s", duration_s=duration_s, size=size, key_bytes=1)
        for duration_s, size in zip(lengths, sizes, strict=True)
    ]
    assert peak_bps(parts) == bps
