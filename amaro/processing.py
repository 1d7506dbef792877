"""Follow an accepted upload until it is fully published, or until it is clear that it never is."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

POLL_S: Final = 0.25
SILENCE_MAX_S: Final = 60.0
ENDED: Final = {"complete", "failed", "cancelled"}
WATCHABLE: Final = {"playable", "complete"}


class ProcessingError(Exception):
    """The upload will not become watchable; the message is a sentence for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """What the origin says of an asset at one moment."""

    state: str
    stage: str
    fraction: float  # of all the work, 0 to 1
    error: str | None
    base: str  # the path of its names
    uploaded: float | None  # instants, unix seconds
    first_playable: float | None
    complete: float | None

    @property
    def is_watchable(self) -> bool:
        """Say whether at least one rendition plays."""
        return self.state in WATCHABLE

    @property
    def first_playable_s(self) -> float | None:
        """Return the seconds from the last byte's arrival to the first playable rendition."""
        return seconds_between(self.uploaded, self.first_playable)

    @property
    def complete_s(self) -> float | None:
        """Return the seconds from the last byte's arrival to the last rendition."""
        return seconds_between(self.uploaded, self.complete)


def seconds_between(begin: float | None, end: float | None) -> float | None:
    """Return the difference in milliseconds' precision, None when an instant is unknown."""
    return None if begin is None or end is None else round(end - begin, 3)


def parse_asset(raw: dict[str, Any]) -> Asset:
    """Return the origin's JSON as an Asset, fields that we do not need left out."""
    return Asset(**{name: raw[name] for name in Asset.__slots__})


def follow(state_url: str) -> Iterator[Asset]:
    """Yield the asset's state until it ends; raise ProcessingError when it ends badly.

    An origin that restarts meanwhile is waited for.
    """
    heard_mono = time.monotonic()
    with httpx.Client(timeout=10.0) as client:
        while True:
            try:
                answer = client.get(state_url).raise_for_status()
            except httpx.HTTPError as error:
                if time.monotonic() - heard_mono > SILENCE_MAX_S:
                    raise ProcessingError(f"The origin does not answer: {error}") from error
            else:
                heard_mono = time.monotonic()
                asset = parse_asset(answer.json())
                yield asset
                if asset.state in ENDED:
                    _check(asset)
                    return
            time.sleep(POLL_S)


def base_of(state_url: str, asset_id: str) -> str:
    """Return the path of an asset's names as the origin says it, else as it mostly is."""
    try:
        answer = httpx.get(state_url, timeout=10.0).raise_for_status()
        return parse_asset(answer.json()).base
    except (httpx.HTTPError, ValueError, KeyError):
        return f"/v/{asset_id}"


def _check(asset: Asset) -> None:
    if asset.state == "failed":
        raise ProcessingError(asset.error or "The video could not be processed.")
    if asset.state == "cancelled":
        raise ProcessingError("The video was cancelled.")
