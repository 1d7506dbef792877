"""Public names, object keys, purge tags and identifiers: what they look like and mean."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Final

ASSET_ID: Final = re.compile(r"[a-z2-7]{16}")
UPLOAD_ID: Final = re.compile(r"[a-z2-7]{32}")
UPLOAD_ID_BYTES: Final = 20
REGION: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
MUTABLE_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")

_IMMUTABLE_NAME: Final = re.compile(r"([0-9a-f]{32})\.([a-z0-9]{2,4})")
IMMUTABLE_TYPES: Final = {  # extension: (Content-Type, kind of its purge tag)
    "m4s": ("video/iso.segment", "segment"),
    "mp4": ("video/mp4", "segment"),
    "jpg": ("image/jpeg", "image"),
    "webp": ("image/webp", "image"),
}


def upload_id(random: bytes) -> str:
    """Return the capability that names an upload: 160 random bits in 32 characters."""
    return base64.b32encode(random).decode().lower()


def asset_id_of(upload: str) -> str:
    """Return the public identifier of an upload's asset; nobody can compute the way back."""
    return base64.b32encode(hashlib.sha256(upload.encode()).digest()).decode().lower()[:16]


def immutable(name: str) -> tuple[str, str, str] | None:
    """Return (digest, Content-Type, kind) of a content-addressed name, None for any other."""
    match = _IMMUTABLE_NAME.fullmatch(name)
    if match is None or match[2] not in IMMUTABLE_TYPES:
        return None
    content_type, kind = IMMUTABLE_TYPES[match[2]]
    return match[1], content_type, kind


def kind_of(content_type: str) -> str:
    """Return the kind of a mutable resource, as its purge tag says it."""
    return "image" if content_type.startswith("image/") else "playlist"


def object_key(asset_id: str, name: str) -> str:
    """Return where an asset's object lies in the store."""
    return f"assets/{asset_id}/{name}"


def source_key(asset_id: str) -> str:
    """Return where the accepted upload lies in the store."""
    return f"sources/{asset_id}"


def asset_tag(asset_id: str) -> str:
    """Return the tag on everything of an asset."""
    return f"asset-{asset_id}"


def playlists_tag(asset_id: str) -> str:
    """Return the tag on an asset's mutable names only: publishing purges no segment."""
    return f"playlists-{asset_id}"


def feed_tag(region: str) -> str:
    """Return the tag on every page of a region's feed."""
    return f"feed-{region}"


def content_address(digest_hex: str) -> str:
    """Return the stem of a content-addressed name: 128 bits of the SHA-256."""
    return digest_hex[:32]
