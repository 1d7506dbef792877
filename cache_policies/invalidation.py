"""Which stored responses an unsafe request makes doubtful (RFC 9111 §4.4)."""

from urllib.parse import SplitResult, urljoin, urlsplit

from cache_policies.key import cache_key, normalise
from cache_policies.message import RequestHead, ResponseHead

SAFE = frozenset(
    {b"GET", b"HEAD", b"OPTIONS", b"PROPFIND", b"QUERY", b"REPORT", b"SEARCH", b"TRACE"}
)
"""Methods that change nothing (RFC 9110 §16.1.1); any other one may."""


def invalidated_keys(request: RequestHead, response: ResponseHead) -> tuple[bytes, ...]:
    """Return the primary keys to invalidate after this exchange: () for a safe or failed one.

    They are the target's and those of Location and Content-Location at the same origin.
    """
    if request.method in SAFE or not 200 <= response.status < 400:
        return ()
    keys = [_key_of(request, request.target)]
    for name in (b"location", b"content-location"):
        for reference in response.all(name):
            target = _same_origin_target(request, reference)
            if target is not None:
                keys.append(_key_of(request, target))
    return tuple(dict.fromkeys(keys))


def names_target(request: RequestHead, reference: bytes) -> bool:
    """Say whether a reference in the answer to `request` names the request's own target."""
    named = _same_origin_target(request, reference)
    return named is not None and _key_of(request, named) == _key_of(request, request.target)


def _key_of(request: RequestHead, target: bytes) -> bytes:
    _, path_key, _ = normalise(target)
    return cache_key(request.scheme, request.host, path_key)


def _same_origin_target(request: RequestHead, reference: bytes) -> bytes | None:
    """Return the request target of a reference that stays at the request's origin, else None."""
    base = (request.scheme + b"://" + request.host + request.target).decode("latin-1")
    try:
        here, there = urlsplit(base), urlsplit(urljoin(base, reference.decode("latin-1")))
    except ValueError:
        return None
    if _origin(here) != _origin(there):
        return None
    target = there.path or "/"
    return f"{target}?{there.query}".encode("latin-1") if there.query else target.encode("latin-1")


def _origin(url: SplitResult) -> bytes:
    return cache_key(url.scheme.encode("latin-1"), url.netloc.encode("latin-1"), b"")
