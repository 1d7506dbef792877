"""Hits of a named provider: the same as a player's, and the purge tags.

Heads are rendered once, for players, and stay as they are; tags are put in when they are written.
So nobody else pays for it, and a provider's hit takes 4 us more.
"""

import asyncio
from collections.abc import Mapping
from time import monotonic

from cache_policies.provider_tags import ProviderKind
from edge.heads import Facts
from edge.hits import look_up, part_of
from edge.protocol import EdgeProtocol, bind
from edge.shared import Shared
from edge.tags_told import tags_block


class ProviderProtocol(EdgeProtocol):
    """A provider's connection; its class says whose."""

    provider: ProviderKind

    def _hit(self, target: bytes, facts: Facts, opened: bool = False, asked: bytes = b"") -> bool:
        """Answer from memory, in the readable way."""
        del opened, asked  # of other ways to come here
        shared, now = self.shared, monotonic()
        entry = look_up(shared, target, facts, self, now)
        if entry is None:
            return False
        if self.hit_gate is not None:
            said = self.ask_gate(self.hit_gate, target, facts, entry)
            if said is not None:
                return said
        entry.mark += 1
        shared.counters.hits += 1
        self._quiet_since = now
        tags = tags_block(self.provider, entry.tags)
        if facts.selecting or facts.method == b"HEAD":
            hit = part_of(entry, facts, now)
            head, length = hit.head, hit.length
            self.transport.writelines([head[:-2] + tags + b"\r\n", *hit.pieces])
        else:
            head, length = entry.hit_head(now), entry.length
            self.write_span(head[:-2] + tags + b"\r\n", entry, 0, length - 1)
        shared.counters.hit_bytes += length
        status = int(head[9:12])
        shared.sampler.left -= 1
        if not shared.sampler.left:
            shared.sampler.take(target, facts, self.address, status)
        if shared.log is not None:
            self._log(target, facts, (entry.ttl_s(now), status, length))
        return True

    def _follow(self, target: bytes, facts: Facts) -> bool:
        """Leave misses to the app: heads that followers share have no tags."""
        del target, facts
        return False


class OpenProtocol(EdgeProtocol):
    """A connection of anybody, on a listener where providers come in, too."""

    of_providers: Mapping[ProviderKind, type[ProviderProtocol]]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        provider = self.shared.clients.proxies.provider(self.address)
        if provider is not None:
            # an attribute that holds another `_hit` of its own would be a cycle of references
            self.__class__ = self.of_providers[provider]  # type: ignore[assignment]


def bind_for_all(shared: Shared) -> type[EdgeProtocol]:
    """The protocol class for uvicorn's `http=`, with what its connections share."""
    if shared.peers or not shared.clients.proxies.has_providers:
        return bind(shared)
    of_providers = {
        kind: type(
            "BoundProviderProtocol", (ProviderProtocol,), {"shared": shared, "provider": kind}
        )
        for kind in ProviderKind
    }
    given = {"shared": shared, "of_providers": of_providers}
    return type("BoundOpenProtocol", (OpenProtocol,), given)
