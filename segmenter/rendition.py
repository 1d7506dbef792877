"""A rendition: how it is called, and what of it is stored."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One stored segment; `key_bytes` from its start hold everything up to its first picture."""

    name: str
    duration_s: float
    size: int
    key_bytes: int


@dataclass(frozen=True, slots=True)
class Label:
    """How a rendition is called and how large its picture is; sound has none (0)."""

    name: str
    width: int = 0
    height: int = 0
    rate: float = 0.0  # frames per second


@dataclass(frozen=True, slots=True, kw_only=True)
class Packaged:
    """One rendition whose objects are all stored: the proof that it may be published."""

    name: str
    width: int
    height: int
    codecs: str
    rate: float  # frames per second, 0 for sound
    init: str
    segments: tuple[Segment, ...]
