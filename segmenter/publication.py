"""What the segmenter hands over when an asset becomes watchable, and to whom."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A mutable name of an asset (playlist, `thumbnails.vtt`, `poster.jpg`) and its bytes."""

    name: str
    body: bytes
    content_type: str
    may_grow: bool  # False once nothing will replace it, so that it may be cached for longer


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRendition:
    """One rendition that the multivariant playlist names; audio has no width and height (0)."""

    name: str
    width: int
    height: int
    bandwidth: int  # peak bits per second of its segments (RFC 8216 §4.3.4.2)
    average_bandwidth: int
    codecs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """Everything that is mutable about an asset, replaced as a whole."""

    resources: tuple[Resource, ...]
    renditions: tuple[PublishedRendition, ...]
    duration_s: float
    width: int  # of the best rendition that will ever be published, 0 for audio only
    height: int
    poster: str | None  # name of a stored object or a resource
    complete: bool


class Publisher(Protocol):
    """The origin, as the segmenter sees it. Synchronous; every call is idempotent."""

    def source(self, asset_id: str) -> Path:
        """Return a local file with the accepted upload's bytes."""

    def store(self, asset_id: str, name: str, body: Path | bytes, content_type: str) -> None:
        """Keep an immutable, content-addressed object; it is durable on return."""

    def publish(self, asset_id: str, publication: Publication) -> None:
        """Flip all mutable names in one transaction, then purge them at the edges."""

    def progress(self, asset_id: str, stage: str, fraction: float) -> None:
        """Say how far the asset is (0 to 1). Cheap and lossy."""

    def fail(self, asset_id: str, sentence: str) -> None:
        """Give the asset up, with a sentence that a person understands."""

    def is_cancelled(self, asset_id: str) -> bool:
        """Say whether somebody asked to stop. Polled once a second or so."""

    def cancelled(self, asset_id: str) -> None:
        """Acknowledge that the work on the asset has ended because of a cancellation."""
