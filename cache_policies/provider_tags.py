"""Purge tags as each CDN in front reads them: what edges show it is what origins purge by."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Final, NamedTuple

LINE_BYTES_MAX: Final = 16_000  # of one response; Cloudflare and Fastly read some 16 KiB


class ProviderKind(StrEnum):
    """The CDNs that are known here."""

    CLOUDFLARE = "cloudflare"
    FASTLY = "fastly"


class _Form(NamedTuple):
    name: bytes
    separator: bytes


_FORMS: Final = {
    ProviderKind.CLOUDFLARE: _Form(b"cache-tag", b","),
    ProviderKind.FASTLY: _Form(b"surrogate-key", b" "),
}


_PLAIN: Final = re.compile(rb"[\x21-\x7e]+")


def spelled(provider: ProviderKind, tag: bytes) -> bytes:
    """Return a tag as a list of this provider can hold it: all that is printable stays."""
    special = b"%" + _FORMS[provider].separator
    if _PLAIN.fullmatch(tag) and not any(byte in special for byte in tag):
        return tag
    return b"".join(
        b"%c" % byte if 0x21 <= byte <= 0x7E and byte not in special else b"%%%02x" % byte
        for byte in tag
    )


def tag_line(provider: ProviderKind, tags: Iterable[bytes]) -> tuple[bytes, bytes] | None:
    """Return the field that tells this provider of tags, None without any.

    Tags that would make it too long are left out, the last ones first.
    """
    form = _FORMS[provider]
    said: list[bytes] = []
    length = 0
    for tag in tags:
        word = spelled(provider, tag)
        length += len(word) + len(form.separator)
        if length > LINE_BYTES_MAX:
            break
        said.append(word)
    return (form.name, form.separator.join(said)) if said else None
