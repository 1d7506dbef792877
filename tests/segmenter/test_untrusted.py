"""Every command line that opens an upload says which protocols and containers it may open."""

from itertools import pairwise
from pathlib import Path

import pytest

from segmenter.encode import UNTRUSTED, copy_video, encode_audio, encode_video, measure_audio
from segmenter.ladder import choose_ladder
from segmenter.previews import draw_poster, draw_sprite, plan_sprite
from tests.segmenter.test_ladder import source

UPLOAD, OUT, FACTS = Path("upload"), Path("out"), source()
LADDER = choose_ladder(FACTS)
COMMANDS = {
    "copy": copy_video(UPLOAD, OUT),
    "encode": encode_video(UPLOAD, FACTS, LADDER, LADDER.rungs[1], OUT),
    "measure": measure_audio(UPLOAD, FACTS),
    "audio": encode_audio(UPLOAD, FACTS, 0.0, 10.0, OUT),
    "sprite": draw_sprite(UPLOAD, FACTS, plan_sprite(FACTS, 10.0), OUT),
    "poster": draw_poster(UPLOAD, FACTS, OUT),
    "wave": draw_poster(UPLOAD, source(video=None), OUT),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_input_is_restricted(name):
    command = COMMANDS[name]
    before = command[: command.index("-i")]
    assert set(pairwise(UNTRUSTED)) <= set(pairwise(before))
