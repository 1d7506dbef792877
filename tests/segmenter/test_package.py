"""Encoded files cut into segments: real fragments from ffmpeg, and files that do not fit."""

import hashlib

import pytest

from segmenter.boundaries import Boundaries
from segmenter.boxes import BoxError, boxes, find, read_codecs, starts_with_idr
from segmenter.package import NotIndependentError, PackageError, package, read_track
from segmenter.rendition import Label
from tests.support import clips

FRAGMENTS = ("-movflags", "+empty_moov+default_base_moof", "-frag_duration", "1000000", "-f", "mp4")
KEYS = ("-force_key_frames", "0,1.98,3.98", "-x264-params", "scenecut=0:keyint=infinite")
CUTS = Boundaries(timescale=25, starts=(0, 50, 100), end=150)


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "video.mp4"
    coding = ("-c:v", "libx264", "-preset", "veryfast", "-bf", 3, "-pix_fmt", "yuv420p")
    clips.ffmpeg(*clips.moving("160x90"), *coding, *KEYS, *FRAGMENTS, path)
    return path


@pytest.fixture(scope="module")
def audio(tmp_path_factory):
    path = tmp_path_factory.mktemp("audio") / "audio.mp4"
    clips.ffmpeg(*clips.tone(), *clips.AAC, *FRAGMENTS, path)
    return path


def packaged(path, cuts, label):
    kept = {}

    def store(name, body, content_type):
        kept[name] = (body, content_type)

    return package(path, cuts, store, label), kept


def decode_time(body):
    tfdt = find(body, "moof/traf/tfdt")
    return int.from_bytes(body[tfdt.body + 4 : tfdt.body + 12], "big")


def test_a_picture_is_cut_exactly_at_the_boundaries(video):
    rendition, kept = packaged(video, CUTS, Label("90p", 160, 90, 25.0))
    assert [segment.duration_s for segment in rendition.segments] == [2.0, 2.0, 2.0]
    bodies = [kept[segment.name][0] for segment in rendition.segments]
    timescale = 12_800
    assert [decode_time(body) for body in bodies] == [0, 2 * timescale, 4 * timescale]
    assert rendition.codecs.startswith("avc1.64")
    for segment, body in zip(rendition.segments, bodies, strict=True):
        kinds = [box.kind for box in boxes(body)]
        assert kinds == [b"styp", b"moof", b"mdat", b"moof", b"mdat"]
        assert segment.size == len(body)
        first = next(box for box in boxes(body) if box.kind == b"mdat")
        assert segment.key_bytes == first.end
        assert starts_with_idr(body[first.body : first.end])


def test_names_are_what_the_bytes_are(video):
    rendition, kept = packaged(video, CUTS, Label("90p", 160, 90, 25.0))
    assert {rendition.init, *(s.name for s in rendition.segments)} == set(kept)
    for name, (body, content_type) in kept.items():
        stem, _, extension = name.partition(".")
        assert hashlib.sha256(body).hexdigest().startswith(stem)
        assert content_type == {"mp4": "video/mp4", "m4s": "video/iso.segment"}[extension]
    again, _ = packaged(video, CUTS, Label("90p", 160, 90, 25.0))
    assert again == rendition


def test_reordered_pictures_are_undone_by_the_edit_list(video):
    rendition, kept = packaged(video, CUTS, Label("90p", 160, 90, 25.0))
    init = kept[rendition.init][0]
    elst = find(init, "moov/trak/edts/elst")
    media_time = int.from_bytes(init[elst.body + 16 : elst.body + 24], "big")
    assert media_time % 512 == 0
    assert media_time > 0
    with pytest.raises(BoxError):
        find(init, "moov/udta")


def test_sound_is_cut_at_the_nearest_frame_and_starts_at_zero(audio):
    rendition, kept = packaged(audio, CUTS, Label("audio"))
    frame_s = 1024 / 48_000
    assert rendition.codecs == "mp4a.40.2"
    starts = [decode_time(kept[segment.name][0]) / 48_000 for segment in rendition.segments]
    assert starts[0] == 0
    for start, wanted in zip(starts, [0, 2, 4], strict=True):
        assert abs(start - wanted) <= frame_s / 2


def test_boundaries_past_the_end_of_the_sound_are_left_out(audio):
    cuts = Boundaries(timescale=1, starts=(0, 4, 8), end=12)
    rendition, _ = packaged(audio, cuts, Label("audio"))
    assert len(rendition.segments) == 2


@pytest.mark.parametrize("starts", [(0, 30), (0, 50, 125)])
def test_a_boundary_without_a_keyframe_is_refused(video, starts):
    with pytest.raises(NotIndependentError, match="no keyframe at"):
        packaged(video, Boundaries(timescale=25, starts=starts, end=150), Label("90p", 160, 90))


@pytest.mark.parametrize(("keep", "why"), [(100, "no frame"), (3000, "cut off"), (4, "no frame")])
def test_a_cut_off_file_is_refused(video, tmp_path, keep, why):
    part = tmp_path / "part.mp4"
    whole = video.read_bytes()
    part.write_bytes(whole[:28] if keep == 100 else whole[:keep])
    with pytest.raises(PackageError, match=why):
        packaged(part, CUTS, Label("90p", 160, 90))


def test_an_unknown_codec_has_no_name(tmp_path):
    path = tmp_path / "vp9.mp4"
    clips.ffmpeg(*clips.moving("64x36", 5, 1), "-c:v", "libvpx-vp9", *FRAGMENTS, path)
    with path.open("rb") as file, pytest.raises(BoxError, match="no codec name"):
        read_track(file)


def test_boxes_that_do_not_fit():
    with pytest.raises(BoxError, match="does not fit"):
        list(boxes(b"\x00\x00\x00\x20moov"))
    large = b"\x00\x00\x00\x01free" + (20).to_bytes(8, "big") + b"body"
    assert [(box.kind, box.body, box.end) for box in boxes(large)] == [(b"free", 16, 20)]
    with pytest.raises(BoxError):
        read_codecs(large)


@pytest.mark.parametrize(
    ("sample", "is_idr"),
    [
        (b"\x00\x00\x00\x01\x65", True),
        (b"\x00\x00\x00\x01\x41", False),
        (b"\x00\x00\x00\x02\x06\x00\x00\x00\x00\x01\x65", True),  # supplemental information first
        (b"\x00\x00\x00\x01\x09", False),
        (b"", False),
    ],
)
def test_starts_with_idr(sample, is_idr):
    assert starts_with_idr(sample) is is_idr
