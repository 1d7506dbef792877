"""Reads bodies of a content coding (RFC 9110 §8.4.1), never more than is asked for."""

import zlib
from typing import Final

import brotli

_GZIP_WBITS: Final = 31  # zlib's word for a gzip header


def decoded(body: bytes, coding: bytes, most_bytes: int) -> bytes | None:
    """A whole body without its coding; None when that is longer, broken, or a coding we lack."""
    try:
        match coding.strip().lower():
            case b"" | b"identity":
                return body if len(body) <= most_bytes else None
            case b"gzip" | b"x-gzip":
                gzip = zlib.decompressobj(_GZIP_WBITS)
                made = gzip.decompress(body, most_bytes + 1)
                is_whole = gzip.eof
            case b"br":
                br = brotli.Decompressor()
                made = br.process(body, output_buffer_limit=most_bytes + 1)
                is_whole = br.is_finished()
            case _:
                return None
    except (zlib.error, brotli.error):
        return None
    return made if is_whole and len(made) <= most_bytes else None
