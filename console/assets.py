"""The files of the pages, read once: bodies, validators, and the build that they make up."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import brotli

HERE = Path(__file__).parent
VENDOR = {  # name under /vendor/: its file in console/node_modules
    "hls.min.mjs": "hls.js/dist/hls.min.mjs",
    "hls.min.js": "hls.js/dist/hls.min.js",
    "tus.min.js": "tus-js-client/dist/tus.min.js",
}
CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}
COMPRESS_FROM_BYTES = 600
SOURCE_MAP_LINE = b"//# sourceMappingURL="


class MissingScriptsError(Exception):
    """The player scripts are not installed; the message says how to get them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One file as it is served: bodies by content coding (identity always there) and its ETag."""

    content_type: str
    etag: str
    bodies: Mapping[str, bytes]


def asset(body: bytes, content_type: str) -> Asset:
    """`body` with its validator and, where that saves bytes, its compressed forms."""
    bodies = {"identity": body}
    if len(body) >= COMPRESS_FROM_BYTES:
        bodies["br"] = brotli.compress(body, quality=9)
        bodies["gzip"] = gzip.compress(body, 9, mtime=0)
    digest = hashlib.sha256(body).hexdigest()[:24]
    return Asset(content_type=content_type, etag=digest, bodies=bodies)


def read_static() -> dict[str, bytes]:
    """Every file of the pages by its path under the build, player scripts under `vendor/`."""
    files = {path.name: path.read_bytes() for path in sorted((HERE / "static").iterdir())}
    for name, source in VENDOR.items():
        path = HERE / "node_modules" / source
        if not path.is_file():
            raise MissingScriptsError(
                f"{path} is missing: the player scripts are not installed. Run: make setup"
            )
        lines = path.read_bytes().splitlines(keepends=True)
        files[f"vendor/{name}"] = b"".join(ln for ln in lines if not ln.startswith(SOURCE_MAP_LINE))
    return files


def build_of(files: Mapping[str, bytes]) -> str:
    """A name for exactly these files: 16 hex digits that change when any of them does."""
    digest = hashlib.sha256()
    for name, body in sorted(files.items()):
        digest.update(f"{name}\0{len(body)}\0".encode() + body)
    return digest.hexdigest()[:16]


def content_type_of(name: str) -> str:
    """The media type of a file by its name."""
    return CONTENT_TYPES[Path(name).suffix]
