"""Cut one encoded file into CMAF segments at the asset's boundaries and hand them over."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Final

from segmenter.boundaries import Boundaries
from segmenter.boxes import (
    Sample,
    TimedSample,
    Track,
    chunk_head,
    init_segment,
    read_codecs,
    read_fragment,
    read_timescale,
    segment_type,
    starts_with_idr,
)
from segmenter.rendition import Label, Packaged, Segment

NAME_CHARACTERS: Final = 32  # of the SHA-256 in hexadecimal: 128 bits
STORES_AT_ONCE: Final = 4
SEGMENT_TYPE: Final = {"mp4": "video/mp4", "m4s": "video/iso.segment"}

Store = Callable[[str, bytes, str], None]  # name, body, content type; durable on return


class PackageError(Exception):
    """The encoded file does not have the frames that the boundaries need."""


class NoFrameError(PackageError):
    """The encoder wrote nothing."""


class NotIndependentError(PackageError):
    """A segment would not begin with a picture that decodes on its own."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The samples of one segment and its times in the track's ticks."""

    start: int
    end: int
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a segment stands in its rendition."""

    sequence: int
    delay: int  # ticks
    is_video: bool


def package(path: Path, boundaries: Boundaries, store: Store, label: Label) -> Packaged:
    """Cut, name by content and store a rendition; return what a playlist needs to know of it.

    Raises PackageError when the file's frames do not fit the boundaries.
    """
    is_video = label.width > 0
    with path.open("rb") as file, ThreadPoolExecutor(STORES_AT_ONCE) as pool:
        track = read_track(file)
        cuts = cut_video(track, boundaries) if is_video else cut_audio(track, boundaries)
        delay = max(reordering(cut) for cut in cuts)
        head = init_segment(track.head, delay)
        init = object_name(head, "mp4")
        waiting = [pool.submit(store, init, head, SEGMENT_TYPE["mp4"])]
        segments = []
        for sequence, cut in enumerate(cuts, 1):
            body, key_bytes = render(file, cut, Place(sequence, delay, is_video))
            segment = object_name(body, "m4s")
            waiting.append(pool.submit(store, segment, body, SEGMENT_TYPE["m4s"]))
            segments.append(
                Segment(
                    name=segment,
                    duration_s=(cut.end - cut.start) / track.timescale,
                    size=len(body),
                    key_bytes=key_bytes,
                )
            )
            if len(waiting) > 2 * STORES_AT_ONCE:  # segments in memory stay few
                waiting.pop(0).result()
        for stored in waiting:
            stored.result()
    return Packaged(
        name=label.name,
        width=label.width,
        height=label.height,
        rate=label.rate,
        codecs=track.codecs,
        init=init,
        segments=tuple(segments),
    )


def read_track(file: BinaryIO) -> Track:
    """Return the init segment and all samples of a fragmented file with one track."""
    head = b""
    samples: list[Sample] = []
    for kind, offset, size in top_level(file):
        if kind in {b"ftyp", b"moov"}:
            head += _read_at(file, offset, size)
        elif kind == b"moof":
            samples += read_fragment(_read_at(file, offset, size), offset)
    if not head or not samples:
        raise NoFrameError("the encoder wrote no frame")
    return Track(head, read_timescale(head), read_codecs(head), tuple(samples))


def top_level(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Yield (kind, offset, size) of the boxes of a file without reading their bodies."""
    end = file.seek(0, 2)
    offset = 0
    while offset + 8 <= end:
        header = _read_at(file, offset, min(16, end - offset))
        size, kind = int.from_bytes(header[:4], "big"), header[4:8]
        size = int.from_bytes(header[8:16], "big") if size == 1 else size
        if size < 8 or offset + size > end:
            raise PackageError(f"the encoded file is cut off in box {kind!r}")
        yield kind, offset, size
        offset += size


def cut_video(track: Track, boundaries: Boundaries) -> list[Cut]:
    """Return the samples of each segment, times counted from the first frame shown.

    Every boundary must fall on a sync sample, and nothing before it may be shown after it.
    """
    zero = min(sample.pts for sample in track.samples[:32])
    moved = [_moved(sample, zero) for sample in track.samples]
    starts = _in_ticks(boundaries, track.timescale)
    at_sync = {sample.pts: n for n, sample in enumerate(moved) if sample.is_sync}
    slack = min(sample.duration for sample in moved[:2]) // 2
    firsts = []
    for start in starts:
        found = min(at_sync, key=lambda pts: abs(pts - start), default=None)
        if found is None or abs(found - start) > slack:
            raise NotIndependentError(f"no keyframe at {start / track.timescale:.3f} s")
        firsts.append(at_sync[found])
    groups = [tuple(moved[a:b]) for a, b in pairwise([*firsts, len(moved)])]
    edges = [group[0].pts for group in groups]
    last = max(groups[-1], key=lambda sample: sample.pts)
    for group, start in zip(groups, edges, strict=True):
        if any(sample.pts < start for sample in group):
            raise NotIndependentError(f"open group of pictures at {start / track.timescale:.3f} s")
    ends = [*edges[1:], last.pts + last.duration]
    return [Cut(*cut) for cut in zip(edges, ends, groups, strict=True)]


def cut_audio(track: Track, boundaries: Boundaries) -> list[Cut]:
    """Return the samples of each segment, cut at the frame nearest to each boundary.

    The encoder's first packet only primes the decoder: it belongs before zero and is left out,
    so that the sound starts with the picture and no edit list is needed.
    """
    heard = track.samples[1:] or track.samples
    zero = heard[0].pts
    moved = [_moved(sample, zero) for sample in heard]
    end = moved[-1].pts + moved[-1].duration
    frame = moved[0].duration
    wanted = [min(round(s / frame), len(moved)) for s in _in_ticks(boundaries, track.timescale)]
    groups = [moved[a:b] for a, b in pairwise([*wanted, len(moved)])]
    groups = [group for group in groups if group]
    edges = [*(group[0].pts for group in groups), end]
    return [Cut(a, b, tuple(g)) for (a, b), g in zip(pairwise(edges), groups, strict=True)]


def decode_times(cut: Cut) -> list[int]:
    """Return the sorted presentation times of a segment, which serve as its decoding times.

    Made anew, so that every rendition's `tfdt` is the boundary itself, whatever its encoder's
    reordering or the source's jitter.
    """
    return sorted(sample.pts for sample in cut.samples)


def reordering(cut: Cut) -> int:
    """Return by how many ticks presentation must be delayed so that no frame is late."""
    times = decode_times(cut)
    return max(time - sample.pts for time, sample in zip(times, cut.samples, strict=True))


def render(file: BinaryIO, cut: Cut, place: Place) -> tuple[bytes, int]:
    """Return a segment's bytes and the length of its part up to the end of the first picture.

    The first picture is a chunk of its own: what an I-frame playlist names is whole by itself.
    """
    bodies = [_read_at(file, sample.offset, sample.size) for sample in cut.samples]
    if place.is_video and not starts_with_idr(bodies[0]):
        raise NotIndependentError("a segment does not begin with an IDR picture")
    times = [*decode_times(cut), cut.end]
    timed = [
        TimedSample(sample.size, b - a, sample.pts - a + place.delay, sample.is_sync)
        for sample, (a, b) in zip(cut.samples, pairwise(times), strict=True)
    ]
    parts = [segment_type()]
    key_bytes = 0
    for first, last in ((0, 1), (1, len(timed))) if place.is_video else ((0, len(timed)),):
        if first < last:
            parts.append(
                chunk_head(
                    sequence=place.sequence,
                    decode_time=times[first],
                    samples=timed[first:last],
                    is_video=place.is_video,
                )
            )
            parts += bodies[first:last]
        key_bytes = key_bytes or sum(len(part) for part in parts)
    return b"".join(parts), key_bytes


def object_name(body: bytes, extension: str) -> str:
    """Return the name that only these bytes have."""
    return f"{hashlib.sha256(body).hexdigest()[:NAME_CHARACTERS]}.{extension}"


def _moved(sample: Sample, zero: int) -> Sample:
    return Sample(
        sample.dts - zero, sample.pts - zero, sample.duration, sample.offset, sample.size,
        sample.is_sync,
    )  # fmt: skip


def _in_ticks(boundaries: Boundaries, timescale: int) -> list[int]:
    return [round(start * timescale / boundaries.timescale) for start in boundaries.starts]


def _read_at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    data = file.read(size)
    if len(data) != size:
        raise PackageError("the encoded file is cut off")
    return data
