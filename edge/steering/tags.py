"""Adds to multivariant playlists what has players ask for steering, as they leave the edge."""

import hashlib
import re
import zlib
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlencode, urlsplit

from cache_policies.message import Fields
from edge.steering.manifest import SERVICE
from edge.steering.orders import HERE, SteeredService

PLAYLIST_BYTES_MAX: Final = 256 * 1024  # of a playlist that is changed, before and after coding

_TYPES: Final = frozenset(
    {b"application/vnd.apple.mpegurl", b"application/x-mpegurl", b"audio/mpegurl"}
)
_HEADER: Final = b"#EXTM3U"
_STEERING: Final = b"#EXT-X-CONTENT-STEERING"
_PATHWAY: Final = b"PATHWAY-ID="
_VARIANT = re.compile(rb"^#EXT-X-(?:I-FRAME-)?STREAM-INF:[^\r\n]+", re.MULTILINE)
_WHOLE_VARIANT: Final = b"#EXT-X-STREAM-INF:"
_OF_THE_BODY: Final = frozenset(  # fields that are true of the stored body alone
    b"content-length content-md5 digest content-digest repr-digest etag last-modified".split()
)


class UntaggedError(Exception):
    """A playlist stays as it is; the message is the named reason."""


def is_playlist(fields: Fields) -> bool:
    """Say whether a response is a playlist by its media type."""
    types = [value for name, value in fields if name == b"content-type"]
    return bool(types) and types[-1].partition(b";")[0].strip().lower() in _TYPES


def server_tag(service: SteeredService) -> bytes:
    """Return the line that names the steering server, with the service in its query."""
    joint = "&" if urlsplit(service.server_uri).query else "?"
    uri = f"{service.server_uri}{joint}{urlencode({SERVICE: service.name})}"
    return b'%b:SERVER-URI="%b",PATHWAY-ID="%b"' % (_STEERING, uri.encode(), HERE.encode())


def tagged_text(text: bytes, tag: bytes) -> bytes:
    """Return a multivariant playlist with the tag; raises UntaggedError for all that is none.

    Its variants belong to one pathway, and so do the groups of renditions that they name.
    """
    line, end, rest = text.partition(b"\n")
    if line.rstrip() != _HEADER or _WHOLE_VARIANT not in rest:
        raise UntaggedError("not-multivariant")
    if _STEERING in rest or _PATHWAY in rest:
        raise UntaggedError("steered-already")
    cr = b"\r" if line.endswith(b"\r") else b""
    rest = _VARIANT.sub(rb'\g<0>,%b"%b"' % (_PATHWAY, HERE.encode()), rest)
    return line + end + tag + cr + end + rest


def _gunzipped(data: bytes) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        text = unpacker.decompress(data, PLAYLIST_BYTES_MAX + 1)
    except zlib.error:
        raise UntaggedError("damaged") from None
    if len(text) > PLAYLIST_BYTES_MAX:
        raise UntaggedError("too-large")
    if not unpacker.eof or unpacker.unused_data:
        raise UntaggedError("damaged")
    return text


def _gzipped(text: bytes) -> bytes:
    packer = zlib.compressobj(level=6, wbits=31)
    return packer.compress(text) + packer.flush()


_CODINGS: Final[Mapping[bytes, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]]] = {
    b"": (bytes, bytes),
    b"identity": (bytes, bytes),
    b"gzip": (_gunzipped, _gzipped),
    b"x-gzip": (_gunzipped, _gzipped),
}
READABLE: Final = b"gzip"  # what to ask for where a coding is not among these


def tagged_body(body: bytes, fields: Fields, tag: bytes) -> bytes:
    """Return a body with the tag, in the coding that it has. Raises UntaggedError."""
    coding = b",".join([value for name, value in fields if name == b"content-encoding"])
    unpack, pack = _CODINGS.get(coding.strip().lower(), (None, None))
    if unpack is None or pack is None:
        raise UntaggedError("coding")
    if len(body) > PLAYLIST_BYTES_MAX:
        raise UntaggedError("too-large")
    return pack(tagged_text(unpack(body), tag))


def tagged_fields(fields: Fields, body: bytes) -> Fields:
    """Return the fields of a response whose body has become `body`: a validator of its own.

    When it was last modified is not said, since that is not true of the tag.
    """
    kept = tuple(line for line in fields if line[0] not in _OF_THE_BODY)
    etag = b'"%b"' % hashlib.sha256(body).hexdigest()[:32].encode()
    return (*kept, (b"etag", etag))
