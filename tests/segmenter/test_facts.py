"""Facts from ffprobe's reports."""

import pytest

from segmenter.facts import (
    Refusal,
    RefusedError,
    parse_report,
    read_facts,
    read_packets,
    read_video,
)
from segmenter.tools import PROBE_LIMITS

STREAM = {
    "codec_type": "video", "codec_name": "h264", "width": 640, "height": 360, "time_base": "1/1000",
    "avg_frame_rate": "25/1", "r_frame_rate": "25/1", "pix_fmt": "yuv420p", "profile": "High",
    "bit_rate": "500000", "field_order": "progressive",
}  # fmt: skip
SOUND = {
    "codec_type": "audio", "codec_name": "aac", "index": 1, "channels": 2, "sample_rate": "48000",
    "start_time": "0.5", "duration": "2.0",
}  # fmt: skip
FORMAT = {"format_name": "mov", "start_time": "0.0", "duration": "2.0", "bit_rate": "700000"}


def listing(*rows):
    return read_packets("\n".join(rows))


EVEN = listing(*(f"{n * 40},{n * 40},40,{'K' if n % 25 == 0 else '_'}__" for n in range(50)))


def test_a_plain_video():
    facts = read_facts({"streams": [STREAM, SOUND], "format": FORMAT}, EVEN)
    video = facts.video
    assert video is not None
    assert (video.width, video.height, video.rate, video.timescale) == (640, 360, (25, 1), 1000)
    assert (video.keyframes, video.frames, video.duration) == ((0, 1000), 50, 2000)
    assert (video.is_variable, video.is_closed, video.is_clean) == (False, True, True)
    assert video.keyframe_gap_max_s == 1.0
    assert video.short_side == 360
    assert not video.is_hdr
    assert facts.audio is not None
    assert facts.duration_s == 2.0


@pytest.mark.parametrize(
    ("change", "size", "rotation"),
    [
        ({"side_data_list": [{"rotation": -90}]}, (360, 640), 270),
        ({"side_data_list": [{"rotation": 180}]}, (640, 360), 180),
        ({"side_data_list": [{"other": 1}]}, (640, 360), 0),
        ({"sample_aspect_ratio": "4:3"}, (853, 360), 0),
        ({"sample_aspect_ratio": "0:1"}, (640, 360), 0),
        ({"sample_aspect_ratio": "100:1"}, (640, 360), 0),
    ],
)
def test_the_size_that_people_see(change, size, rotation):
    video = read_video(STREAM | change, EVEN)
    assert video is not None
    assert ((video.width, video.height), video.rotation) == (size, rotation)


@pytest.mark.parametrize(
    ("rows", "variable", "closed", "clean"),
    [
        (["0,0,40,K__", "40,40,40,___", "80,80,40,___"], False, True, True),
        (["0,0,40,K__", "40,40,40,___", "200,80,40,___", "240,90,40,___"], True, True, True),
        (["0,0,33,K__", "33,33,33,___", "67,67,33,___", "100,100,33,___"], False, True, True),
        (["0,0,40,K__", "120,40,40,K__", "80,80,40,___"], True, False, True),
        (["0,0,40,___", "40,40,40,K__"], False, True, False),
        (["0,0,40,KD_", "40,40,40,___"], False, True, False),
        (["5,5,40,K__"], False, True, True),
        (["N/A,0,40,K__", "N/A,40,40,___"], False, True, False),
    ],
)
def test_the_shape_of_the_packets(rows, variable, closed, clean):
    video = read_video(STREAM, listing(*rows))
    assert video is not None
    assert (video.is_variable, video.is_closed, video.is_clean) == (variable, closed, clean)


def test_packets_with_gaps_in_what_is_known():
    packets = listing("N/A,7,N/A,K__", "N/A,N/A,1,___", "short", "9,9,N/A,___")
    assert [(packet.pts, packet.duration) for packet in packets] == [(7, 0), (9, 0)]


def test_what_an_edit_list_hides_does_not_count():
    rows = ["-80,-80,40,KD_", "-40,-40,40,_D_", "0,0,40,___", "40,40,40,K__", "80,80,40,___"]
    video = read_video(STREAM, listing(*rows))
    assert video is not None
    assert (video.start_s, video.duration, video.frames, video.keyframes) == (0.0, 120, 3, (40,))
    assert not video.is_clean


def test_rates_come_from_the_frames_when_the_container_has_none():
    video = read_video(STREAM | {"avg_frame_rate": "0/0", "r_frame_rate": "0/0"}, EVEN)
    assert video is not None
    assert video.rate == (25, 1)
    odd = read_video(STREAM | {"time_base": "1001/30000"}, listing("0,0,1,K__", "1,1,1,___"))
    assert odd is not None
    assert odd.duration_s == pytest.approx(2 * 1001 / 30000, abs=1e-3)


@pytest.mark.parametrize(
    ("sound", "duration_s"),
    [
        ({"duration": "2.0", "start_time": "0"}, 2.0),
        ({"duration": "60.0", "start_time": "0"}, 60.0),  # the last picture stays
        ({"duration": "2.4", "start_time": "0"}, 2.0),  # a little more sound is cut off
        ({"duration": "N/A", "start_time": "0"}, 2.0),
    ],
)
def test_how_long_an_asset_lasts(sound, duration_s):
    facts = read_facts({"streams": [STREAM, SOUND | sound], "format": FORMAT}, EVEN)
    assert facts.duration_s == duration_s


def test_a_song_with_a_cover_is_sound():
    cover = STREAM | {"disposition": {"attached_pic": 1}}
    facts = read_facts({"streams": [cover, SOUND], "format": FORMAT}, [])
    assert facts.video is None
    assert facts.duration_s == 2.0


def test_silence_is_a_video():
    facts = read_facts({"streams": [STREAM], "format": FORMAT}, EVEN)
    assert facts.audio is None
    assert facts.duration_s == 2.0


@pytest.mark.parametrize(
    ("report", "why"),
    [
        ({}, Refusal.NO_STREAMS),
        ({"streams": [STREAM]}, Refusal.NO_FRAMES),
        ({"streams": [{"codec_type": "subtitle"}]}, Refusal.NO_FRAMES),
    ],
)
def test_nothing_to_watch_or_hear(report, why):
    with pytest.raises(RefusedError) as caught:
        read_facts(report, [])
    assert caught.value.refusal is why


@pytest.mark.parametrize("text", ["", "{", "[]", "3"])
def test_an_unreadable_report_is_an_empty_one(text):
    assert parse_report(text) == {}
    assert parse_report('{"a": 1}') == {"a": 1}


def test_every_refusal_is_a_sentence():
    for refusal in Refusal:
        assert refusal.value[0].isupper()
        assert refusal.value.endswith(".")


def test_the_longest_video_fits_into_the_report():
    frames = 4 * 3600 * 120
    line = f"{frames * 1000},{frames * 1000},1000,K__\n"
    assert frames * len(line) <= PROBE_LIMITS.report_bytes
