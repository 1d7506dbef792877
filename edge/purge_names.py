"""Which stored responses a purge names."""

from collections.abc import Iterable

from cache_policies.key import cache_key, normalise
from edge.purges import Purge, PurgeKind


def touches(purge: Purge, key: bytes, tags: Iterable[bytes]) -> bool:
    """Whether `purge` names the response stored under `key` with `tags`."""
    match purge.kind:
        case PurgeKind.ALL:
            return True
        case PurgeKind.TAG:
            return purge.value in tags
        case PurgeKind.URL:
            return _compared(key, purge.value) == url_key(purge.value)
        case PurgeKind.PREFIX:
            return _compared(key, purge.value).startswith(purge.value)


def url_key(url: bytes) -> bytes:
    """The key of an absolute URL, or the path part of one for a path."""
    scheme, found, rest = url.partition(b"://")
    if not found or url.startswith(b"/"):
        return normalise(url)[1]
    host, _, path = rest.partition(b"/")
    return cache_key(scheme, host, normalise(b"/" + path)[1])


def _compared(key: bytes, value: bytes) -> bytes:
    """The part of `key` that a purge's value names: only the path where it is one."""
    return key[key.index(b"/", key.index(b"://") + 3) :] if value.startswith(b"/") else key
