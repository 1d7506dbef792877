"""How each class of answer may be cached, and the fields that every answer carries."""

from __future__ import annotations

from enum import Enum
from typing import Final

CORS: Final = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "Age, Cache-Status, Content-Length, Content-Range, Date, ETag",
    "timing-allow-origin": "*",
    "cross-origin-resource-policy": "cross-origin",
    "x-content-type-options": "nosniff",
}
TUS_CORS: Final = CORS | {
    "access-control-expose-headers": (
        "Amaro-Asset-Id, Location, Retry-After, Tus-Checksum-Algorithm, Tus-Extension, "
        "Tus-Max-Size, Tus-Resumable, Tus-Version, Upload-Expires, Upload-Length, "
        "Upload-Metadata, Upload-Offset"
    ),
}
PREFLIGHT: Final = {
    "access-control-allow-methods": "GET, HEAD, POST, PATCH, DELETE, OPTIONS",
    "access-control-allow-headers": (
        "Authorization, Content-Type, If-Match, If-Modified-Since, If-None-Match, If-Range, Range, "
        "Tus-Resumable, Upload-Checksum, Upload-Length, Upload-Metadata, Upload-Offset, "
        "X-HTTP-Method-Override, X-Request-ID, X-Requested-With"
    ),
    "access-control-max-age": "86400",
}


class CacheClass(Enum):
    """Cache-Control by what an answer is."""

    IMMUTABLE = "public, max-age=31536000, immutable"
    GROWING = "public, max-age=2, stale-while-revalidate=10, stale-if-error=86400"
    SETTLED = "public, max-age=60, stale-while-revalidate=600, stale-if-error=86400"
    FEED = "public, max-age=5, stale-while-revalidate=30, stale-if-error=86400"
    ABSENT = "public, max-age=2"  # a name that may be published in a moment; purged when it is
    PRIVATE = "no-store"
