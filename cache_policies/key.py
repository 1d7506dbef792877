"""Cache keys: which bytes of a request name the resource that it asks for."""

import re
from typing import Final
from urllib.parse import unquote_to_bytes

TOKEN_BYTES_MIN: Final = 40  # no user's home page, as /~somebody/, has a name as long

_DEFAULT_PORT = {b"http": b":80", b"https": b":443"}
_TOKEN: Final = rb"/~([A-Za-z0-9_-]{%d,}(?:/~[A-Za-z0-9_-]{%d,})*)(?=[/?]|\Z)"
_HIDING: Final = (b"/~", b"/%", b"//")
_TOKENS: Final = re.compile(_TOKEN % (TOKEN_BYTES_MIN, TOKEN_BYTES_MIN))


def split_token(target: bytes) -> tuple[bytes, bytes]:
    """Return (access token, target without it); a token is the first segment: /~TOKEN/path.

    Several of them are one, which nobody has minted.
    """
    if target[:2] != b"/~":
        return b"", target
    found = _TOKENS.match(target)
    if found is None:
        return b"", target
    bare = target[found.end() :]
    return found[1], bare if bare[:1] == b"/" else b"/" + bare


def hides_token(target: bytes) -> bool:
    """Whether a token stands first in a path, but so that `split_token` leaves it there.

    As /%7ETOKEN/path, //~TOKEN/path or /~TOKEN%2Fpath: an origin would be told of it.
    """
    if target[:2] not in _HIDING or split_token(target)[0]:
        return False
    path = unquote_to_bytes(target.partition(b"?")[0])
    return _TOKENS.match(b"/" + path.lstrip(b"/")) is not None


def without_tokens(url: bytes) -> bytes:
    """Return a URL, or whatever else may hold one, without the access tokens in it."""
    return _TOKENS.sub(b"", url) if b"/~" in url else url


def normalise(target: bytes) -> tuple[bytes, bytes, bytes]:
    """Return (access token, path key, CMCD bytes) of a request target.

    The path key is the target without its token and its `CMCD=` query parameters (CTA-5004 §2.1),
    all else byte for byte. Several CMCD values are joined by "&".
    """
    token = b""
    if target[:2] == b"/~":
        token, target = split_token(target)
    before, name, value = target.rpartition(b"CMCD=")
    if not name:
        return token, target, b""
    # players append it: this path is 3 times as fast as the general one below
    if b"&" not in value and b"CMCD=" not in before:
        if before[-1:] == b"&" and b"?" in before:
            return token, before[:-1], value
        if before[-1:] == b"?" and before.find(b"?") == len(before) - 1:
            return token, before[:-1], value
        return token, target, b""
    path, _, query = target.partition(b"?")
    parts = query.split(b"&")
    kept = [part for part in parts if not part.startswith(b"CMCD=")]
    if len(kept) == len(parts):
        return token, target, b""
    cmcd = b"&".join([part[5:] for part in parts if part.startswith(b"CMCD=")])
    return token, path + b"?" + b"&".join(kept) if kept else path, cmcd


def cache_key(scheme: bytes, host: bytes, path_key: bytes) -> bytes:
    """Return a resource's primary key; host loses case and default port (RFC 9110 §4.2.3)."""
    scheme = scheme.lower()
    return scheme + b"://" + plain_authority(scheme, host) + path_key


def named_host(host: str) -> str:
    """Return a configured host, which is for all schemes, without case and default ports."""
    host = host.lower()
    for port in _DEFAULT_PORT.values():
        host = host.removesuffix(port.decode())
    return host


def plain_authority(scheme: bytes, host: bytes) -> bytes:
    """Return `host` in lower case, without the port that `scheme` has anyway."""
    return host.lower().removesuffix(_DEFAULT_PORT.get(scheme, b""))
