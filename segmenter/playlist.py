"""HLS playlists (RFC 8216) as bytes. Pure: packaged renditions in, text out."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from segmenter.publication import PublishedRendition, Resource
from segmenter.rendition import Packaged, Segment

PLAYLIST_TYPE = "application/vnd.apple.mpegurl"
AUDIO_GROUP = "sound"
VERSION = 7


def peak_bps(segments: Sequence[Segment]) -> int:
    """Return the highest bit rate of any run of segments (RFC 8216 §4.1).

    A run lasts 0.5 to 1.5 target durations: a last segment of one frame is no peak by itself.
    """
    return heaviest_bps([(s.size, s.duration_s) for s in segments])


def heaviest_bps(parts: Sequence[tuple[int, float]]) -> int:
    """Return the highest bits per second of any run of (bytes, seconds), or of them all."""
    target_s = target_duration_s([duration_s for _, duration_s in parts])
    peak = sum(size for size, _ in parts) * 8 / sum(part_s for _, part_s in parts)
    for first in range(len(parts)):
        size, lasts_s = 0, 0.0
        for part_size, part_s in parts[first:]:
            size, lasts_s = size + part_size, lasts_s + part_s
            if lasts_s > 1.5 * target_s:
                break
            if lasts_s >= 0.5 * target_s:
                peak = max(peak, size * 8 / lasts_s)
    return ceil(peak)


def target_duration_s(durations_s: Sequence[float]) -> int:
    """Return a whole second that no duration exceeds, rounded half up (RFC 8216 §4.3.3.1)."""
    return max(1, int(max(durations_s) + 0.5))


def average_bps(segments: Sequence[Segment]) -> int:
    """Return the bits per second over all segments."""
    return ceil(sum(s.size for s in segments) * 8 / sum(s.duration_s for s in segments))


def multivariant(video: Sequence[Packaged], audio: Packaged | None) -> bytes:
    """Return the multivariant playlist: lightest variant first, sound as a rendition of its own."""
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{VERSION}", "#EXT-X-INDEPENDENT-SEGMENTS"]
    if audio is not None and video:
        lines.append(
            f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{AUDIO_GROUP}",NAME="Sound",DEFAULT=YES,'
            f'AUTOSELECT=YES,CHANNELS="2",URI="{audio.name}.m3u8"'
        )
    for rendition in sorted(video, key=lambda r: peak_bps(r.segments)):
        lines += [_stream(published(rendition, audio), rendition.rate, audio), _uri(rendition)]
    for rendition in sorted(video, key=lambda r: peak_bps(r.segments)):
        lines.append(_iframe_stream(rendition))
    if not video and audio is not None:
        alone = published(audio, None)
        rates = f"BANDWIDTH={alone.bandwidth},AVERAGE-BANDWIDTH={alone.average_bandwidth}"
        lines += [f'#EXT-X-STREAM-INF:{rates},CODECS="{alone.codecs}"', _uri(audio)]
    return _text(lines)


def media(rendition: Packaged) -> bytes:
    """Return the media playlist of a whole rendition."""
    lines = _media_head(rendition, [s.duration_s for s in rendition.segments])
    for segment in rendition.segments:
        lines += [f"#EXTINF:{segment.duration_s:.6f},", segment.name]
    return _text([*lines, "#EXT-X-ENDLIST"])


def iframes(rendition: Packaged) -> bytes:
    """Return the I-frame playlist: the first picture of every segment, as a byte range of it."""
    lines = _media_head(rendition, [s.duration_s for s in rendition.segments])
    lines.insert(2, "#EXT-X-I-FRAMES-ONLY")
    for segment in rendition.segments:
        lines += [
            f"#EXTINF:{segment.duration_s:.6f},",
            f"#EXT-X-BYTERANGE:{segment.key_bytes}@0",
            segment.name,
        ]
    return _text([*lines, "#EXT-X-ENDLIST"])


def published(rendition: Packaged, audio: Packaged | None) -> PublishedRendition:
    """Return what the multivariant playlist says of a rendition, heard together with `audio`."""
    with_sound = audio.segments if audio is not None else ()
    return PublishedRendition(
        name=rendition.name,
        width=rendition.width,
        height=rendition.height,
        bandwidth=peak_bps(rendition.segments) + (peak_bps(with_sound) if with_sound else 0),
        average_bandwidth=average_bps(rendition.segments)
        + (average_bps(with_sound) if with_sound else 0),
        codecs=",".join([rendition.codecs, *([audio.codecs] if audio is not None else [])]),
    )


def resources(
    video: Sequence[Packaged], audio: Packaged | None, *, complete: bool
) -> tuple[Resource, ...]:
    """Return every playlist of an asset; only the multivariant one may still grow."""
    main = _resource("main.m3u8", multivariant(video, audio), may_grow=not complete)
    whole = [*video, *([audio] if audio is not None else [])]
    return (
        main,
        *(_resource(f"{rendition.name}.m3u8", media(rendition)) for rendition in whole),
        *(_resource(f"iframes-{rendition.name}.m3u8", iframes(rendition)) for rendition in video),
    )


def _resource(name: str, body: bytes, *, may_grow: bool = False) -> Resource:
    return Resource(name=name, body=body, content_type=PLAYLIST_TYPE, may_grow=may_grow)


def _stream(said: PublishedRendition, rate: float, audio: Packaged | None) -> str:
    attributes = [
        f"BANDWIDTH={said.bandwidth}",
        f"AVERAGE-BANDWIDTH={said.average_bandwidth}",
        f'CODECS="{said.codecs}"',
        f"RESOLUTION={said.width}x{said.height}",
        f"FRAME-RATE={rate:.3f}",
        *([f'AUDIO="{AUDIO_GROUP}"'] if audio is not None else []),
    ]
    return "#EXT-X-STREAM-INF:" + ",".join(attributes)


def _iframe_stream(rendition: Packaged) -> str:
    """Return the I-frame variant; its rates count the pictures alone."""
    peak = heaviest_bps([(s.key_bytes, s.duration_s) for s in rendition.segments])
    total_s = sum(s.duration_s for s in rendition.segments)
    average = sum(s.key_bytes for s in rendition.segments) * 8 / total_s
    return (
        f"#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH={peak},"
        f'AVERAGE-BANDWIDTH={ceil(average)},CODECS="{rendition.codecs}",'
        f'RESOLUTION={rendition.width}x{rendition.height},URI="iframes-{rendition.name}.m3u8"'
    )


def _media_head(rendition: Packaged, durations_s: Sequence[float]) -> list[str]:
    return [
        "#EXTM3U",
        f"#EXT-X-VERSION:{VERSION}",
        f"#EXT-X-TARGETDURATION:{target_duration_s(durations_s)}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        f'#EXT-X-MAP:URI="{rendition.init}"',
    ]


def _uri(rendition: Packaged) -> str:
    return f"{rendition.name}.m3u8"


def _text(lines: Sequence[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()
