"""Which stored responses an unsafe request makes doubtful (RFC 9111 §4.4)."""

from urllib.parse import SplitResult, urljoin, urlsplit

from cache_policies.key import cache_key, normalise
from cache_policies.message import RequestHead, ResponseHead

SAFE = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE"})  # any other method may change something


def invalidated_keys(request: RequestHead, response: ResponseHead) -> tuple[bytes, ...]:
    """Return the primary keys to invalidate after this exchange: () for a safe or failed one.

    They are the target's and those of Location and Content-Location at the same origin.
    """
    if request.method in SAFE or not 200 <= response.status < 400:
        return ()
    keys = [_key_of(request, request.target)]
    base = (request.scheme + b"://" + request.host + request.target).decode("latin-1")
    for name in (b"location", b"content-location"):
        for value in response.all(name):
            target = _same_origin_target(base, value.decode("latin-1"))
            if target is not None:
                keys.append(_key_of(request, target))
    return tuple(dict.fromkeys(keys))


def _key_of(request: RequestHead, target: bytes) -> bytes:
    _, path_key, _ = normalise(target)
    return cache_key(request.scheme, request.host, path_key)


def _same_origin_target(base: str, reference: str) -> bytes | None:
    """Return the request target of a reference that stays at the base's origin, else None."""
    try:
        here, there = urlsplit(base), urlsplit(urljoin(base, reference))
    except ValueError:
        return None
    if _origin(here) != _origin(there):
        return None
    target = there.path or "/"
    return f"{target}?{there.query}".encode("latin-1") if there.query else target.encode("latin-1")


def _origin(url: SplitResult) -> bytes:
    return cache_key(url.scheme.encode("latin-1"), url.netloc.encode("latin-1"), b"")
