"""Pages of a region's feed as JSON: cards, newest first."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from origin import cursor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from origin.catalog import AssetView

LIMIT_DEFAULT: Final = 20
LIMIT_MAX: Final = 100


def page_limit(text: str | None) -> int | None:
    """Return the page size that `limit=` asks for, capped; None when it is no size."""
    if text is None:
        return LIMIT_DEFAULT
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) == 0:
        return None
    return min(int(text), LIMIT_MAX)


def render_page(
    region: str, stories: Sequence[AssetView], *, limit: int, base: Callable[[AssetView], str]
) -> bytes:
    """Return the page as JSON; `stories` holds one more than `limit` when a next page exists.

    `base` says where a story's names begin.
    """
    shown = stories[:limit]
    page = {
        "region": region,
        "stories": [_card(story, base(story)) for story in shown],
        "next": _next_path(region, shown[-1], limit) if len(stories) > limit else None,
    }
    return json.dumps(page, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def page_etag(body: bytes) -> str:
    """Return the validator of a page: a digest of its bytes."""
    return hashlib.sha256(body).hexdigest()[:32]


def _card(story: AssetView, base: str) -> dict[str, Any]:
    return {
        "asset_id": story.asset_id,
        "title": story.title,
        "poster": None if story.poster is None else f"{base}/{story.poster}",
        "duration_s": story.duration_s,
        "width": story.width,
        "height": story.height,
        "playback": f"{base}/main.m3u8",
        "published": story.first_playable,
    }


def _next_path(region: str, last: AssetView, limit: int) -> str:
    place = cursor.Position(published=last.first_playable or 0.0, asset_id=last.asset_id)
    size = "" if limit == LIMIT_DEFAULT else f"&limit={limit}"
    return f"/feed/{region}?after={cursor.render(place)}{size}"
