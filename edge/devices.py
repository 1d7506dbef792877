"""What class of device plays, from the family of its User-Agent; the text itself is not kept."""

import re
from collections.abc import Sequence
from typing import Final

CLASSES: Final = ("phone", "tablet", "tv", "desktop", "other")

_SIGNS: Final[Sequence[tuple[str, re.Pattern[bytes]]]] = tuple(  # the first that is found counts
    (device, re.compile(sign))
    for device, sign in (
        ("other", rb"(?i)bot\b|crawl|spider|^curl|^python|^wget|^okhttp|headless"),
        ("tv", rb"(?i)smart-?tv|\btv\b|apple ?tv|hbbtv|tizen|web0s|webos|roku|crkey|bravia|viera"),
        ("tv", rb"(?i)\baft[a-z]|playstation|xbox|netcast"),
        ("tablet", rb"(?i)ipad|tablet|kindle|silk/|android(?!.*mobile)"),
        ("phone", rb"(?i)iphone|ipod|android|mobile|applecoremedia"),
        ("desktop", rb"(?i)windows nt|macintosh|mac os x|x11|linux|cros"),
    )
)
_TEXT_BYTES_MAX: Final = 512


def device_of(user_agent: bytes) -> str:
    """One of CLASSES."""
    text = user_agent[:_TEXT_BYTES_MAX]
    return next((device for device, sign in _SIGNS if sign.search(text)), "other")
