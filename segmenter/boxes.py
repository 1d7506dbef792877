"""ISO base media boxes (ISO/IEC 14496-12): read ffmpeg's fragments, write CMAF segments."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

HEADER: Final = struct.Struct(">I4s")
SYNC: Final = 0x02000000  # sample_depends_on=2: an intra picture
NOT_SYNC: Final = 0x01010000  # sample_depends_on=1, sample_is_non_sync_sample
NON_SYNC_BIT: Final = 0x00010000
CONTAINERS: Final = frozenset(
    {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"mvex", b"moof", b"traf"}
)
IDR: Final = 5  # nal_unit_type of a picture that resets the decoder (ITU-T H.264 table 7-1)
SLICE: Final = 1


class BoxError(Exception):
    """The bytes are not the boxes that were asked for."""


@dataclass(frozen=True, slots=True)
class Box:
    """One box: its type, and where its body lies."""

    kind: bytes
    start: int  # of the header
    body: int
    end: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One coded frame in decoding order, in the track's ticks."""

    dts: int
    pts: int
    duration: int
    offset: int  # in the file
    size: int
    is_sync: bool


@dataclass(frozen=True, slots=True)
class Track:
    """The one track of a fragmented file."""

    head: bytes  # `ftyp` and `moov` as the encoder wrote them
    timescale: int
    codecs: str  # RFC 6381
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class TimedSample:
    """One sample of a segment as it is written: size, ticks, composition offset."""

    size: int
    duration: int
    composition: int
    is_sync: bool


def boxes(data: bytes | memoryview, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """Yield the boxes that lie side by side in `data[start:end]`."""
    limit = len(data) if end is None else end
    while start + 8 <= limit:
        size, kind = HEADER.unpack_from(data, start)
        body = start + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, body)
            body += 8
        if size < body - start or start + size > limit:
            raise BoxError(f"box {kind!r} at {start} does not fit")
        yield Box(kind, start, body, start + size)
        start += size


def find(data: bytes | memoryview, path: str, start: int = 0, end: int | None = None) -> Box:
    """Return the first box at a path such as `moov/trak/mdia`; raise BoxError without one."""
    kind, _, rest = path.partition("/")
    for box in boxes(data, start, end):
        if box.kind == kind.encode():
            return find(data, rest, box.body, box.end) if rest else box
    raise BoxError(f"no box {kind}")


def read_fragment(moof: bytes, moof_offset: int) -> list[Sample]:
    """Return the samples of one `moof`, whose default base is the box itself."""
    traf = find(moof, "moof/traf")
    defaults = _fragment_defaults(moof, find(moof, "tfhd", traf.body, traf.end))
    tfdt = find(moof, "tfdt", traf.body, traf.end)
    layout = ">Q" if moof[tfdt.body] == 1 else ">I"
    (dts,) = struct.unpack_from(layout, moof, tfdt.body + 4)
    samples: list[Sample] = []
    for box in boxes(moof, traf.body, traf.end):
        if box.kind == b"trun":
            run = _read_run(moof, box.body, defaults, dts, moof_offset)
            samples += run
            dts = run[-1].dts + run[-1].duration if run else dts
    return samples


def _fragment_defaults(moof: bytes, tfhd: Box) -> tuple[int, int, int]:
    """Return default duration, size and flags of a `tfhd`."""
    flags = int.from_bytes(moof[tfhd.body + 1 : tfhd.body + 4], "big")
    at = tfhd.body + 8 + 8 * bool(flags & 1) + 4 * bool(flags & 2)
    values = [0, 0, 0]
    for n, bit in enumerate((0x8, 0x10, 0x20)):
        if flags & bit:
            (values[n],) = struct.unpack_from(">I", moof, at)
            at += 4
    return values[0], values[1], values[2]


def _read_run(
    moof: bytes, body: int, defaults: tuple[int, int, int], dts: int, base: int
) -> list[Sample]:
    """Return the samples of one `trun` (ISO/IEC 14496-12 §8.8.8)."""
    flags = int.from_bytes(moof[body + 1 : body + 4], "big")
    (count,) = struct.unpack_from(">I", moof, body + 4)
    at, offset = body + 8, base
    if flags & 0x1:
        offset += struct.unpack_from(">i", moof, at)[0]
        at += 4
    first_flags = None
    if flags & 0x4:
        (first_flags,) = struct.unpack_from(">I", moof, at)
        at += 4
    samples = []
    for n in range(count):
        values = []
        for bit, default in zip((0x100, 0x200, 0x400), defaults, strict=True):
            if flags & bit:
                (default,) = struct.unpack_from(">I", moof, at)  # noqa: PLW2901 - default or own
                at += 4
            values.append(default)
        composition = 0
        if flags & 0x800:
            (composition,) = struct.unpack_from(">i", moof, at)
            at += 4
        duration, size, sample_flags = values
        if n == 0 and first_flags is not None:
            sample_flags = first_flags
        is_sync = not sample_flags & NON_SYNC_BIT
        samples.append(Sample(dts, dts + composition, duration, offset, size, is_sync))
        dts += duration
        offset += size
    return samples


def chunk_head(
    *, sequence: int, decode_time: int, samples: Sequence[TimedSample], is_video: bool
) -> bytes:
    """Return a `moof` and the header of the `mdat` that the samples' bytes follow."""
    if is_video:
        rows = b"".join(
            struct.pack(">IIII", s.duration, s.size, SYNC if s.is_sync else NOT_SYNC, s.composition)
            for s in samples
        )
    else:
        rows = b"".join(struct.pack(">II", s.duration, s.size) for s in samples)
    flags = 0xF01 if is_video else 0x301
    tfhd = _box(b"tfhd", struct.pack(">III", 0x00020020, 1, SYNC))  # default-base-is-moof
    tfdt = _box(b"tfdt", struct.pack(">IQ", 0x01000000, decode_time))
    mfhd = _box(b"mfhd", struct.pack(">II", 0, sequence))
    trun_size = 8 + 12 + len(rows)
    moof_size = 8 + len(mfhd) + 8 + len(tfhd) + len(tfdt) + trun_size
    trun = _box(b"trun", struct.pack(">IIi", flags, len(samples), moof_size + 8) + rows)
    moof = _box(b"moof", mfhd + _box(b"traf", tfhd + tfdt + trun))
    return moof + HEADER.pack(8 + sum(s.size for s in samples), b"mdat")


def segment_type() -> bytes:
    """Return the `styp` that opens a CMAF segment (ISO/IEC 23000-19 §7.2)."""
    return _box(b"styp", b"msdh" + bytes(4) + b"msdhmsixcmfc")


def init_segment(head: bytes, media_time: int) -> bytes:
    """Return ffmpeg's `ftyp` and `moov` as a CMAF init segment whose edit list skips `media_time`.

    The skip undoes the delay of reordered pictures: the first one is shown at zero.
    """
    parts = [_box(b"ftyp", b"iso6" + struct.pack(">I", 512) + b"iso6cmfcmp41")]
    parts += [_rebuilt(head, box, media_time) for box in boxes(head) if box.kind == b"moov"]
    return b"".join(parts)


def _rebuilt(data: bytes, box: Box, media_time: int) -> bytes:
    """Return a box without edit lists and tags, with our own edit list in its `trak`."""
    if box.kind not in CONTAINERS or box.kind == b"stbl":
        return data[box.start : box.end]
    inner = []
    for child in boxes(data, box.body, box.end):
        if child.kind not in {b"edts", b"udta"}:
            inner.append(_rebuilt(data, child, media_time))
        if child.kind == b"tkhd" and media_time:
            elst = struct.pack(">IIQqI", 0x01000000, 1, 0, media_time, 0x00010000)
            inner.append(_box(b"edts", _box(b"elst", elst)))
    return _box(box.kind, b"".join(inner))


def read_timescale(head: bytes) -> int:
    """Return the ticks per second of the track in `moov`."""
    mdhd = find(head, "moov/trak/mdia/mdhd")
    at = mdhd.body + (20 if head[mdhd.body] == 1 else 12)
    (timescale,) = struct.unpack_from(">I", head, at)
    return int(timescale)


def read_codecs(head: bytes) -> str:
    """Return the RFC 6381 name of the track's codec: `avc1.…` or `mp4a.40.2`."""
    stsd = find(head, "moov/trak/mdia/minf/stbl/stsd")
    entry = next(boxes(head, stsd.body + 8, stsd.end))
    if entry.kind == b"mp4a":
        return "mp4a.40.2"  # AAC-LC is all that our encoder makes
    if entry.kind == b"avc1":
        avcc = find(head, "avcC", entry.body + 78, entry.end)
        return f"avc1.{head[avcc.body + 1 : avcc.body + 4].hex()}"
    raise BoxError(f"no codec name for {entry.kind!r}")


def starts_with_idr(sample: bytes) -> bool:
    """Say whether the first slice of a length-prefixed H.264 sample is of an IDR picture."""
    at = 0
    while at + 5 <= len(sample):
        (size,) = struct.unpack_from(">I", sample, at)
        kind = sample[at + 4] & 0x1F
        if SLICE <= kind <= IDR:
            return kind == IDR
        at += 4 + size
    return False


def _box(kind: bytes, body: bytes) -> bytes:
    return HEADER.pack(8 + len(body), kind) + body
