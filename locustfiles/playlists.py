"""HLS playlists as a player reads them (RFC 8216): which variants, which segments."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urljoin

ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^,]*)')
STREAM = "#EXT-X-STREAM-INF:"
MEDIA = "#EXT-X-MEDIA:"
MAP = "#EXT-X-MAP:"
DURATION = "#EXTINF:"


class PlaylistError(ValueError):
    """A playlist that a player could not use; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One rendition of a multivariant playlist."""

    bandwidth_bps: int
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Multivariant:
    """What one can choose from: variants from the lightest to the heaviest, and the sound."""

    variants: tuple[Variant, ...]
    audio_url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One piece of a media playlist."""

    url: str
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaPlaylist:
    """A rendition: its initialisation section and its segments in order."""

    init_url: str | None
    segments: tuple[Segment, ...]
    is_ended: bool


def parse_multivariant(text: str, url: str) -> Multivariant:
    """The variants of a playlist; raises PlaylistError when there are none."""
    lines = _lines(text, url)
    variants, audio_url = [], None
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith(STREAM):
            bandwidth_bps = int(attributes(line)["BANDWIDTH"])
            variants.append(Variant(bandwidth_bps=bandwidth_bps, url=urljoin(url, following)))
        elif line.startswith(MEDIA) and attributes(line).get("TYPE") == "AUDIO":
            audio_url = audio_url or urljoin(url, attributes(line)["URI"])
    if not variants:
        raise PlaylistError(f"{url} names no variant")
    variants.sort(key=lambda variant: variant.bandwidth_bps)
    return Multivariant(variants=tuple(variants), audio_url=audio_url)


def parse_media(text: str, url: str) -> MediaPlaylist:
    """The segments of a playlist; raises PlaylistError when there are none."""
    init_url, duration_s, segments = None, 0.0, []
    lines = _lines(text, url)
    for line in lines:
        if line.startswith(MAP):
            init_url = urljoin(url, attributes(line)["URI"])
        elif line.startswith(DURATION):
            duration_s = float(line.removeprefix(DURATION).split(",")[0])
        elif not line.startswith("#"):
            segments.append(Segment(url=urljoin(url, line), duration_s=duration_s))
    if not segments:
        raise PlaylistError(f"{url} names no segment")
    is_ended = "#EXT-X-ENDLIST" in lines
    return MediaPlaylist(init_url=init_url, segments=tuple(segments), is_ended=is_ended)


def attributes(line: str) -> dict[str, str]:
    """The attribute list of a tag, without quotes."""
    return {name: value.strip('"') for name, value in ATTRIBUTE.findall(line.partition(":")[2])}


def choose(multivariant: Multivariant, throughput_bps: float) -> Variant:
    """The heaviest variant that 80 % of the throughput carries, else the lightest."""
    fitting = [v for v in multivariant.variants if v.bandwidth_bps <= 0.8 * throughput_bps]
    return fitting[-1] if fitting else multivariant.variants[0]


def _lines(text: str, url: str) -> list[str]:
    if not text.startswith("#EXTM3U"):
        raise PlaylistError(f"{url} is no playlist")
    return [line.strip() for line in text.splitlines() if line.strip()]
