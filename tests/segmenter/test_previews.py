"""The sheet of thumbnails and the track that points into it."""

from dataclasses import replace
from pathlib import Path

import pytest

from segmenter.previews import Sprite, draw_poster, draw_sprite, plan_sprite, thumbnails_vtt
from tests.segmenter.test_ladder import PHONE, source


@pytest.mark.parametrize(
    ("duration_s", "count", "interval_s", "rows"),
    [(0.5, 1, 2.0, 1), (10.0, 5, 2.0, 1), (30.0, 15, 2.0, 2), (600.0, 100, 6.0, 10)],
)
def test_plan(duration_s, count, interval_s, rows):
    sprite = plan_sprite(source(), duration_s)
    assert sprite is not None
    assert (sprite.count, sprite.interval_s, sprite.rows) == (count, interval_s, rows)
    assert (sprite.width, sprite.height) == (160, 90)


def test_a_tall_picture_has_tall_thumbnails():
    sprite = plan_sprite(source(replace(PHONE, width=1080, height=1920)), 10.0)
    assert sprite is not None
    assert (sprite.width, sprite.height) == (90, 160)


def test_sound_has_none():
    assert plan_sprite(source(video=None), 10.0) is None


def test_track():
    sprite = Sprite(interval_s=2.0, count=12, width=160, height=90)
    cues = thumbnails_vtt(sprite, "sheet.jpg", 23.5).decode().split("\n\n")
    assert cues[0] == "WEBVTT"
    assert cues[1] == "00:00:00.000 --> 00:00:02.000\nsheet.jpg#xywh=0,0,160,90"
    assert cues[11] == "00:00:20.000 --> 00:00:22.000\nsheet.jpg#xywh=0,90,160,90"
    assert cues[12] == "00:00:22.000 --> 00:00:23.500\nsheet.jpg#xywh=160,90,160,90\n"


def test_only_keyframes_are_decoded_where_they_suffice():
    sprite = Sprite(interval_s=2.0, count=5, width=160, height=90)
    source_path, out = Path("in.mp4"), Path("out.jpg")
    assert "nokey" in draw_sprite(source_path, source(), sprite, out)
    sparse = source(replace(PHONE, keyframes=(0,)))
    assert "nokey" not in draw_sprite(source_path, sparse, sprite, out)


def test_the_poster_is_past_the_beginning_or_the_wave_of_a_sound():
    source_path, out = Path("in.mp4"), Path("out.jpg")
    command = draw_poster(source_path, source(), out)
    assert command[command.index("-ss") + 1] == "1.000"
    assert any("showwavespic" in word for word in draw_poster(source_path, source(video=None), out))
