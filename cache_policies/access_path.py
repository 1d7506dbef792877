"""Which spellings of a path a token may open: those that every origin reads alike."""

import re
from typing import Final
from urllib.parse import unquote_to_bytes

PREFIX_BYTES_MAX: Final = 256

# No dot segment, however decorated (`..;`, `..%00`), no empty one, no backslash; nor an encoded
# dot, slash, backslash, percent sign or control character: some origins decode twice.
_SEGMENT: Final = (
    rb"(?!\.)(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%(?!2[EeFf5]|5[Cc]|[01]|7[Ff])[0-9A-Fa-f]{2})+"
)
_STRICT: Final = re.compile(rb"/(?:" + _SEGMENT + rb"/)*(?:" + _SEGMENT + rb")?")


def is_strict(path: bytes) -> bool:
    """Say whether a path, without its query, means the same to all who read it."""
    if _STRICT.fullmatch(path) is None:
        return False
    return b"%" not in path or _is_utf8(unquote_to_bytes(path))


def is_prefix(text: bytes) -> bool:
    """Say whether tokens can be minted for all that begins with `text`: it is a directory."""
    return text.endswith(b"/") and len(text) <= PREFIX_BYTES_MAX and is_strict(text)


def is_within(target: bytes, prefix: bytes) -> bool:
    """Say whether a request target lies below a prefix, whoever reads it.

    Both are compared as they are spelled: another spelling of the prefix is another prefix.
    """
    return target.startswith(prefix) and is_strict(target.partition(b"?")[0])


def _is_utf8(text: bytes) -> bool:
    """Say whether this is no overlong dot or slash, nor anything else that decoders differ in."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
