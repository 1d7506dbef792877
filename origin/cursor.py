"""The feed's opaque cursor: the position of the last story on a page."""

from __future__ import annotations

import base64
import math
import re
import struct
from dataclasses import dataclass
from typing import Final

_TEXT: Final = re.compile(r"[A-Za-z0-9_-]{24}")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Position:
    """A story's place in the feed: newest first, then by asset_id downwards."""

    published: float
    asset_id: str


def render(position: Position) -> str:
    """Return the cursor as 24 URL-safe characters."""
    packed = struct.pack(">d", position.published) + base64.b32decode(position.asset_id.upper())
    return base64.urlsafe_b64encode(packed).decode()


def parse(text: str) -> Position | None:
    """Return what `render` was given, or None for anything that it cannot have made."""
    if not _TEXT.fullmatch(text):
        return None
    packed = base64.urlsafe_b64decode(text)
    (published,) = struct.unpack(">d", packed[:8])
    if not math.isfinite(published):
        return None
    asset_id = base64.b32encode(packed[8:]).decode().lower()
    return Position(published=published, asset_id=asset_id)
