"""Facts in, ladder out."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segmenter.facts import AudioFacts, Facts, VideoFacts
from segmenter.ladder import (
    choose_ladder,
    constant_rate,
    h264_level,
    peak_bps,
    remux_boundaries,
    rung_sizes,
)

PHONE = VideoFacts(
    codec="h264", width=1920, height=1080, rotation=0, square_pixels=True, pixel_format="yuv420p",
    profile="High", transfer="bt709", interlaced=False, rate=(30, 1), usual_rate=(30, 1),
    is_variable=False, bandwidth_bps=8_000_000, timescale=90_000,
    keyframes=tuple(range(0, 900_000, 180_000)), frames=300, duration=900_000, start_s=0.0,
    is_closed=True, is_clean=True,
)  # fmt: skip
SOUND = AudioFacts(
    index=1, codec="aac", channels=2, sample_rate=48_000, start_s=0.0, duration_s=10.0
)


def source(video=PHONE, audio=SOUND, duration_s=10.0):
    return Facts(container="mov", start_s=0.0, duration_s=duration_s, video=video, audio=audio)


WIDE = ["240p 426x240", "360p 640x360", "540p 960x540", "720p 1280x720", "1080p 1920x1080"]
TALL = ["240p 240x426", "360p 360x640", "540p 540x960", "720p 720x1280", "1080p 1080x1920"]


@pytest.mark.parametrize(
    ("width", "height", "sizes"),
    [
        (1920, 1080, WIDE),
        (1080, 1920, TALL),
        (640, 360, ["240p 426x240", "360p 640x360"]),
        (854, 480, ["240p 428x240", "360p 640x360", "480p 854x480"]),
        (640, 272, ["240p 564x240"]),
        (3840, 2160, WIDE),
        (321, 181, ["181p 320x180"]),
        (2, 2, ["2p 2x2"]),
        (1, 1, ["1p 2x2"]),  # less than two pixels cannot be encoded
    ],
)  # fmt: skip
def test_rung_sizes(width, height, sizes):
    assert [f"{side}p {w}x{h}" for side, w, h in rung_sizes(width, height)] == sizes


@pytest.mark.parametrize(
    ("video", "names", "is_remux"),
    [
        (PHONE, ["1080p", "360p", "540p", "720p", "240p"], True),
        (replace(PHONE, codec="vp9"), ["360p", "540p", "720p", "1080p", "240p"], False),
        (replace(PHONE, width=320, height=180), ["180p"], True),
        (replace(PHONE, width=864, height=864), ["864p", "360p", "540p", "720p", "240p"], True),
        (replace(PHONE, codec="hevc", width=426, height=240), ["240p"], False),
    ],
)  # fmt: skip
def test_order(video, names, is_remux):
    ladder = choose_ladder(source(video))
    assert [rung.name for rung in ladder.rungs] == names
    assert ladder.first is not None
    assert ladder.first.is_remux is is_remux
    assert ladder.keeps_times is is_remux


@pytest.mark.parametrize(
    "change",
    [
        {"codec": "hevc"},
        {"pixel_format": "yuv420p10le"},
        {"profile": "High 4:2:2"},
        {"rotation": 90},
        {"square_pixels": False},
        {"interlaced": True},
        {"transfer": "arib-std-b67"},
        {"is_closed": False},
        {"is_clean": False},
        {"width": 1919},
        {"bandwidth_bps": 40_000_000},
        {"rate": (120, 1)},
        {"keyframes": (0, 700_000)},
        {"duration": 800_000},  # the sound outlasts the picture
    ],
    ids=str,
)
def test_a_source_that_is_not_remuxed(change):
    assert remux_boundaries(source()) is not None
    assert remux_boundaries(source(replace(PHONE, **change))) is None


def test_a_remux_can_be_ruled_out():
    ladder = choose_ladder(source(), may_remux=False)
    assert ladder.first is not None
    assert ladder.first.name == "360p"
    assert not any(rung.is_remux for rung in ladder.rungs)


def test_sound_alone_has_no_rung():
    ladder = choose_ladder(source(video=None))
    assert ladder.rungs == ()
    assert ladder.first is None
    assert ladder.has_audio
    assert remux_boundaries(source(video=None)) is None


@pytest.mark.parametrize(
    ("video", "rate"),
    [
        (PHONE, Fraction(30)),
        (replace(PHONE, rate=(30000, 1001)), Fraction(30000, 1001)),
        (replace(PHONE, rate=(2997, 100)), Fraction(30000, 1001)),
        (replace(PHONE, rate=(120, 1)), Fraction(60)),
        (replace(PHONE, rate=(15, 1)), Fraction(15)),
        (replace(PHONE, rate=(1, 600)), Fraction(10)),
        (replace(PHONE, rate=(19, 1), usual_rate=(29, 1), is_variable=True), Fraction(30000, 1001)),
    ],
)
def test_constant_rate(video, rate):
    assert constant_rate(video) == rate


@pytest.mark.parametrize(
    ("width", "height", "rate", "level"),
    [
        (426, 240, 30, "2.1"),
        (640, 360, 30, "3.0"),
        (1280, 720, 30, "3.1"),
        (1280, 720, 60, "3.2"),
        (1920, 1080, 30, "4.0"),
        (1920, 1080, 60, "4.2"),
        (8192, 8192, 60, "5.2"),
    ],
)
def test_h264_level(width, height, rate, level):
    assert h264_level(width, height, Fraction(rate)) == level


def test_peak_rate_grows_with_the_picture():
    sizes = [(64, 36), (426, 240), (640, 360), (854, 480), (1280, 720), (1920, 1080), (3840, 2160)]
    rates = [peak_bps(w, h, Fraction(30)) for w, h in sizes]
    assert rates == sorted(rates)
    assert peak_bps(1280, 720, Fraction(60)) > peak_bps(1280, 720, Fraction(30))


@given(st.integers(2, 8192), st.integers(2, 8192), st.sampled_from(["h264", "vp9"]))
def test_every_ladder(width, height, codec):
    video = replace(PHONE, width=width, height=height, codec=codec)
    ladder = choose_ladder(source(video))
    assert ladder.rungs
    names = [rung.name for rung in ladder.rungs]
    assert len(set(names)) == len(names)
    for rung in ladder.rungs:
        assert rung.width <= width
        assert rung.height <= height
        assert rung.width % 2 == rung.height % 2 == 0
        assert rung.maxrate_bps > 0
