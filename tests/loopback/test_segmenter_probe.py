"""What the real ffprobe is let near, and what happens when it is stopped."""

import shutil
import subprocess
from dataclasses import replace

import pytest

from segmenter.facts import Refusal, RefusedError
from segmenter.probe import probe
from segmenter.tools import PROBE_LIMITS, ffmpeg

DAY_S = 86_400.0


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Return a small video of a thousand frames."""
    path = tmp_path_factory.mktemp("probe") / "clip.mp4"
    source = ["-f", "lavfi", "-i", "color=size=32x32:rate=50:duration=20"]
    encoding = ["-c:v", "libx264", "-preset", "ultrafast"]
    subprocess.run([ffmpeg(), "-v", "error", *source, *encoding, path], check=True)
    return path


def test_a_list_that_names_another_upload_is_not_media(clip, tmp_path):
    shutil.copy(clip, tmp_path / "abcdefghijklmnop")  # beside it in the store, publicly named
    upload = tmp_path / "upload"
    upload.write_text("ffconcat version 1.0\nfile abcdefghijklmnop\n")
    with pytest.raises(RefusedError) as refused:
        probe(upload, duration_max_s=DAY_S)
    assert refused.value.refusal is Refusal.NOT_MEDIA
    assert probe(clip, duration_max_s=DAY_S).video.frames == 1000


def test_a_listing_that_hits_its_limit_is_no_video_without_a_picture(clip):
    limits = replace(PROBE_LIMITS, report_bytes=8_000)  # the report fits, a thousand packets do not
    with pytest.raises(RefusedError) as refused:
        probe(clip, duration_max_s=DAY_S, limits=limits)
    assert refused.value.refusal is Refusal.TOO_COMPLEX
