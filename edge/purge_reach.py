"""What a purge must name so that it reaches what rules have stored under other names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from cache_policies.policies import Policies
from edge.orders import PurgeOrder
from edge.purges import PurgeKind


def reached(order: PurgeOrder, policies: Policies) -> PurgeOrder:
    """Return the order with the names, too, that its values have under the policies in force."""
    also = {PurgeKind.URL: _keys, PurgeKind.PREFIX: _prefixes}.get(order.kind)
    if also is None or not (policies.aliases or policies.reduces):
        return order
    values = (name for value in order.values for name in (value, *also(value, policies)))
    return replace(order, values=tuple(dict.fromkeys(values)))


def _keys(url: bytes, policies: Policies) -> Iterator[bytes]:
    if url.startswith(b"/"):
        yield from policies.reductions(url)
    else:
        scheme, _, rest = url.partition(b"://")
        host, _, path = rest.partition(b"/")
        yield policies.key(scheme, host, b"/" + path)[0]


def _prefixes(prefix: bytes, policies: Policies) -> Iterator[bytes]:
    scheme, found, rest = prefix.partition(b"://")
    host, slash, path = rest.partition(b"/")
    if found and slash:
        yield scheme + b"://" + policies.host(scheme, host) + b"/" + path
