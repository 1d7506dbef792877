"""HLS playlists that pass through (RFC 8216), read for what comes next: segments and renditions.

Read leniently: what is unknown is skipped, what is no playlist is None. Nothing else of them is
needed here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import urljoin

PLAYLIST_BYTES_MAX: Final = 1 << 19
SEGMENTS_MAX: Final = 4096  # further ones are not read
RENDITIONS_MAX: Final = 64
KEY_BYTES_MAX: Final = 512

_ATTRIBUTE: Final = re.compile(r'([A-Z0-9-]+)=("[^"\r\n]*"|[^,]*)(?:,|$)')
_PRINTABLE: Final = re.compile(r"[\x21-\x7e]+")


class Segment(NamedTuple):
    """One media segment."""

    key: str
    duration_s: float
    is_part: bool = False  # of the resource: a byte range


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaPlaylist:
    """The segments of one rendition in their order."""

    segments: tuple[Segment, ...]
    sections: tuple[str, ...] = ()  # media initialization sections, which come before
    has_ended: bool = True  # else more will come


class Rendition(NamedTuple):
    """One media playlist of a multivariant playlist."""

    key: str
    bandwidth_bps: int  # 0 of an alternative (audio, say), which goes with each variant
    is_default: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class MultivariantPlaylist:
    """The renditions to choose from, in the order of the playlist."""

    renditions: tuple[Rendition, ...]


Playlist: TypeAlias = MediaPlaylist | MultivariantPlaylist


def is_playlist(key: str) -> bool:
    """Whether a key's path is named like a playlist."""
    return key.partition("?")[0].endswith(".m3u8")


def resolve(base: str, reference: str) -> str | None:
    """The key that a reference in the resource `base` means; None beyond its scheme and host."""
    if len(reference) > KEY_BYTES_MAX or _PRINTABLE.fullmatch(reference) is None:
        return None
    try:
        key = urljoin(base, reference).partition("#")[0]
    except ValueError:
        return None
    scheme, _, rest = base.partition("://")
    origin = f"{scheme}://{rest.partition('/')[0]}/"
    return key if key.startswith(origin) and len(key) <= KEY_BYTES_MAX else None


def parse(base: str, body: bytes) -> Playlist | None:
    """The playlist stored under the key `base`; None when it is none, or has nothing to fetch."""
    if len(body) > PLAYLIST_BYTES_MAX:
        return None
    lines = body.decode("utf-8", "replace").splitlines()
    if not lines or lines[0].lstrip("\ufeff").rstrip() != "#EXTM3U":
        return None
    if any(line.startswith("#EXT-X-STREAM-INF:") for line in lines):
        return _multivariant(base, lines)
    return _media(base, lines)


def _multivariant(base: str, lines: list[str]) -> MultivariantPlaylist | None:
    found: list[Rendition] = []
    bandwidth_bps: int | None = None
    for line in map(str.strip, lines):
        if line.startswith("#EXT-X-STREAM-INF:"):
            said = dict(_attributes(line))
            bandwidth_bps = _whole(said.get("BANDWIDTH", ""))
        elif line.startswith("#EXT-X-MEDIA:"):
            said = dict(_attributes(line))
            key = resolve(base, said["URI"]) if said.get("URI") else None
            if key is not None and said.get("TYPE") == "AUDIO":
                found.append(Rendition(key, 0, said.get("DEFAULT") == "YES"))
        elif line and not line.startswith("#") and bandwidth_bps is not None:
            key = resolve(base, line)
            if key is not None:
                found.append(Rendition(key, bandwidth_bps))
            bandwidth_bps = None
    unique = {each.key: each for each in found[:RENDITIONS_MAX]}
    return MultivariantPlaylist(renditions=tuple(unique.values())) if unique else None


def _media(base: str, lines: list[str]) -> MediaPlaylist | None:
    segments: list[Segment] = []
    sections: list[str] = []
    duration_s: float | None = None
    is_part = has_ended = False
    for line in map(str.strip, lines):
        if line.startswith("#EXTINF:"):
            duration_s = _seconds(line[8:].partition(",")[0])
        elif line.startswith("#EXT-X-BYTERANGE:"):
            is_part = True
        elif line.startswith("#EXT-X-MAP:"):
            said = dict(_attributes(line))
            key = resolve(base, said.get("URI", ""))
            if key is not None and "BYTERANGE" not in said and key not in sections:
                sections.append(key)
        elif line == "#EXT-X-ENDLIST":
            has_ended = True
        elif line and not line.startswith("#"):
            key = resolve(base, line)
            if key is not None and duration_s is not None and len(segments) < SEGMENTS_MAX:
                segments.append(Segment(key, duration_s, is_part))
            duration_s, is_part = None, False
    if not segments:
        return None
    sections = sections[:RENDITIONS_MAX]
    return MediaPlaylist(segments=tuple(segments), sections=tuple(sections), has_ended=has_ended)


def _attributes(line: str) -> Iterator[tuple[str, str]]:
    for match in _ATTRIBUTE.finditer(line.partition(":")[2]):
        yield match[1], match[2].strip('"')


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else 0


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0.0 <= seconds < 1e6 else None
