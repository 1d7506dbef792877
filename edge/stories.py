"""Which story a request is about, as far as its path tells."""

import re
from typing import Final

STORY_MAX: Final = 128  # characters of a name
_ASSET: Final = re.compile(r"/([a-z2-7]{16})/")  # as the origin of this project names its assets
_MEDIA: Final = frozenset(
    {
        *("m3u8", "mpd", "ism"),
        *("m4s", "m4v", "m4a", "m4f", "mp4", "mov", "cmfv", "cmfa", "cmft", "ts", "webm"),
        *("aac", "ac3", "ec3", "mp3", "ogg"),
    }
)


def story_of(path: str) -> str | None:
    """The asset that a media path belongs to, else its directory; None for what is no media."""
    directory, _, name = path.partition("?")[0].rpartition("/")
    if name.rpartition(".")[2].lower() not in _MEDIA:
        return None
    asset = _ASSET.search(f"{directory}/")
    return asset[1] if asset else (directory or "/")[:STORY_MAX]
