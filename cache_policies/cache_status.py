"""Cache-Status: how this cache handled a request, in its own words (RFC 9211)."""

import re
from dataclasses import dataclass
from enum import Enum, unique

_TOKEN = re.compile(rb"[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*")
_NOT_PRINTABLE = re.compile(rb"[^\x20-\x7e]")


@unique
class Forward(Enum):
    """Why a request went forward (RFC 9211 §2.2)."""

    BYPASS = b"bypass"
    METHOD = b"method"
    URI_MISS = b"uri-miss"
    VARY_MISS = b"vary-miss"
    MISS = b"miss"
    REQUEST = b"request"
    STALE = b"stale"
    PARTIAL = b"partial"


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheStatus:
    """What one Cache-Status member says; without `forward` it is a hit."""

    forward: Forward | None = None
    forward_status: int | None = None  # of the answer to the forwarded request
    ttl_s: int | None = None  # remaining freshness; negative when stale
    stored: bool = False
    collapsed: bool = False
    detail: str | None = None  # a Why's value


def render(status: CacheStatus, cache: bytes = b"amaro-edge") -> bytes:
    """Return the member for `cache` as a field value, such as `amaro-edge; hit; ttl=57`."""
    parts = [cache]
    if status.forward is None:
        parts.append(b"hit")
    else:
        parts.append(b"fwd=" + status.forward.value)
        if status.forward_status is not None:
            parts.append(b"fwd-status=%d" % status.forward_status)
        if status.stored:
            parts.append(b"stored")
        if status.collapsed:
            parts.append(b"collapsed")
    if status.ttl_s is not None:
        parts.append(b"ttl=%d" % status.ttl_s)
    if status.detail is not None:
        parts.append(b"detail=" + _token_or_string(status.detail.encode()))
    return b"; ".join(parts)


def _token_or_string(value: bytes) -> bytes:
    if _TOKEN.fullmatch(value):
        return value
    escaped = value.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return b'"' + _NOT_PRINTABLE.sub(b"?", escaped) + b'"'
