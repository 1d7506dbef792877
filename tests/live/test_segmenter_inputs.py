"""Every kind of upload has a defined outcome: it plays, or it says why not."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from segmenter.facts import Refusal
from segmenter.jobs import JobQueue
from tests.support import clips
from tests.support.playing import assert_plays, segments, variants
from tests.support.publisher import DirectoryPublisher
from tests.support.segmenter_worker import jobs_url

WAIT_S = 200.0

FAILS = {
    "text.mp4": (clips.text, Refusal.NOT_MEDIA),
    "truncated.mp4": (clips.truncated, Refusal.CUT_OFF),
    "empty.mp4": (clips.empty, Refusal.EMPTY),
}
PLAYS = {  # name: (how it is made, renditions in the order in which they joined, size, seconds)
    "phone.mp4": (clips.h264, ["180p"], (320, 180), 6.0),
    "truncated-index.mp4": (clips.truncated_with_index, ["180p"], (320, 180), None),
    "sound.m4a": (clips.audio_only, ["audio"], (0, 0), 9.0),
    "silent.mp4": (clips.no_audio, ["180p"], (320, 180), 6.0),
    "still.mp4": (clips.still, ["90p"], (160, 90), 240.0),
    "frozen.mp4": (clips.frozen, ["90p"], (160, 90), 240.0),
    "odd.mp4": (clips.odd_sizes, ["181p"], (320, 180), 6.0),
    "rotated.mp4": (clips.rotated, ["180p"], (180, 320), 6.0),
    "variable.mp4": (clips.variable_rate, ["180p"], (320, 180), 6.0),
    "large.mp4": (clips.large, ["360p", "540p", "720p", "1080p", "240p"], (1920, 1080), 2.0),
    "surround.mp4": (clips.surround, ["180p"], (320, 180), 6.0),
    "vp9.webm": (clips.webm, ["180p"], (320, 180), 6.0),
    "hevc.mov": (clips.hevc, ["180p"], (320, 180), 6.0),
    "hdr.mov": (clips.hdr, ["180p"], (320, 180), 6.0),
    "late.mp4": (clips.late_sound, ["180p"], (320, 180), 6.0),
    "trimmed.mp4": (clips.trimmed, ["180p"], (320, 180), 6.7),
    "reordered.avi": (clips.reordered_avi, ["180p"], (320, 180), 6.0),
    "joined.ts": (clips.headless, ["180p"], (320, 180), None),
    "bikes.mp4": (None, ["272p"], (640, 272), 10.0),
    "bigbuckbunny.mp4": (None, ["720p", "360p", "540p", "240p"], (1280, 720), 5.28),
}


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Submit all inputs to one worker; return what it publishes where."""
    root = tmp_path_factory.mktemp("inputs")
    publisher = DirectoryPublisher(root)
    scratch, uploads = root / "scratch", root / "uploads"
    scratch.mkdir()
    uploads.mkdir()
    with JobQueue(jobs_url(root)) as queue:
        worker = subprocess.Popen(
            [sys.executable, "-m", "tests.support.segmenter_worker", str(root)]
        )
        try:
            for name, (make, *_) in {**FAILS, **PLAYS}.items():
                draw(make, scratch / name)
                asset_id = name.replace(".", "-")
                (uploads / asset_id).symlink_to((scratch / name).resolve())
                queue.submit(asset_id)
            yield publisher
        finally:
            worker.terminate()
            worker.wait(WAIT_S)


def draw(make, path: Path) -> None:
    if make is None:
        path.symlink_to(clips.footage(path.name))
    else:
        make(path)


def settled(publisher: DirectoryPublisher, name: str) -> dict:
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        said = publisher.said(name.replace(".", "-"))
        if said.get("state") in {"complete", "failed"}:
            return said
        time.sleep(0.05)
    raise AssertionError(f"{name}: {said} after {WAIT_S} s")


@pytest.mark.parametrize("name", FAILS)
def test_fails_with_a_sentence(published, name):
    said = settled(published, name)
    assert said["state"] == "failed"
    assert said["error"] == FAILS[name][1]
    assert not published.folder(name.replace(".", "-")).joinpath("main.m3u8").exists()


@pytest.mark.parametrize("name", PLAYS)
def test_plays(published, name):
    _, renditions, size, seconds = PLAYS[name]
    said = settled(published, name)
    assert said["state"] == "complete", said
    assert said["history"][-1] == renditions
    assert said["history"][0] == renditions[:1]
    assert (said["width"], said["height"]) == size
    if seconds is not None:
        assert said["duration_s"] == pytest.approx(seconds, abs=0.05)
    folder = published.folder(name.replace(".", "-"))
    assert_plays(folder)
    assert said["poster"] is not None
    assert (folder / said["poster"]).exists()


def test_a_remux_keeps_the_sources_keyframes_and_frame_rate(published):
    settled(published, "bigbuckbunny.mp4")
    folder = published.folder("bigbuckbunny-mp4")
    assert {said["FRAME-RATE"] for said in variants(folder).values()} == {"25.000"}
    lengths = [seconds for seconds, _ in segments(folder / "720p.m3u8")]
    assert all(seconds <= 6.0 for seconds in lengths)


def test_a_picture_has_thumbnails(published):
    settled(published, "phone.mp4")
    track = (published.folder("phone-mp4") / "thumbnails.vtt").read_text()
    assert track.count("#xywh=") == 3
    sheet = track.splitlines()[3].partition("#")[0]
    assert (published.folder("phone-mp4") / sheet).read_bytes().startswith(b"\xff\xd8")
