"""The values that purges name, as every log and cache writes them: read strictly, or refused."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, urlsplit

from cache_policies.key import without_tokens

_URL_SAFE: Final = "".join(map(chr, range(0x21, 0x7F)))


class ValueRefusedError(ValueError):
    """The value names nothing; the message says what is wanted."""


def tag_value(text: str, *, max_bytes: int) -> bytes:
    """Return a tag as a `Surrogate-Key` holds it."""
    if not text or any(char.isspace() or char < " " or char == "\x7f" for char in text):
        raise ValueRefusedError(f"a tag has no spaces: {text!r}")
    return _bounded(_encoded(text), max_bytes)


def url_value(text: str, *, max_bytes: int) -> bytes:
    """Return a URL, or the beginning of one, as a player's request line has it.

    So both meet in one key. That of a player may have been pasted, with its access token. One that
    begins with `/` stands for any host.
    """
    if not _is_absolute(text) and not text.startswith("/"):
        raise ValueRefusedError(f"want http://host/path, or /path for any host: {text!r}")
    url = quote(_encoded(text.partition("#")[0]), safe=_URL_SAFE).encode()
    return _bounded(without_tokens(url), max_bytes)


def _is_absolute(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:  # brackets around no address
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ValueRefusedError(f"half a character: {text!r}") from None


def _bounded(value: bytes, max_bytes: int) -> bytes:
    if len(value) > max_bytes:
        raise ValueRefusedError(f"at most {max_bytes} bytes a value")
    return value
