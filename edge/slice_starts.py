"""How a fill becomes slices: with a part, with what a tier holds, or with a body that is too large.

From then on its readers are answered by what is stored, slice by slice.
"""

from __future__ import annotations

from dataclasses import dataclass

from cache_policies.partial import Part, strong_etag
from cache_policies.policy import CachePolicy
from cache_policies.stored import Stored
from edge.arena import SLICE_BYTES
from edge.asking import Received
from edge.collapse import Fill, Fills, Phase, Uncacheable
from edge.promoting import Found
from edge.record import SLICED, slices_of
from edge.slice_stream import SliceStream
from edge.sliced import SlicedEntry
from edge.slicing import Slicer


@dataclass(frozen=True, slots=True)
class SliceStarts:
    """Begins sliced entries; one per worker."""

    slicer: Slicer
    fills: Fills
    uncacheable: Uncacheable

    async def with_part(self, fill: Fill, stored: Stored, part: Part, received: Received) -> bool:
        """Keep a part that has come, as one slice; False where nothing may be stored."""
        assert part.length is not None
        entry = self._entry(fill, stored, part.length)
        if entry is None:
            return False
        self._offer(fill, entry, received)
        fill.enter(Phase.SLICED)
        stream = SliceStream(received, part.first, part.last)
        await self.slicer.take(entry, part.first // SLICE_BYTES, stream)
        return True

    def with_held(self, fill: Fill, found: Found) -> bool:
        """Have slices found in a lower tier as they are wanted; False where nothing may be."""
        found.held.close()
        length = found.held.length
        assert length is not None
        entry = self._entry(fill, found.stored, length)
        if entry is None:
            return False
        slices = () if found.held.is_sliced else range(slices_of(length))
        entry.below[found.tier] = {SLICED, *slices}
        if found.renewed:
            self._offer(fill, entry, None)
        fill.enter(Phase.SLICED)
        return True

    def wants(self, fill: Fill, stored: Stored, received: Received) -> bool:
        """Whether a lower tier would keep a body that memory cannot, asked for often enough."""
        length, policy = received.response.length, self._policy(fill, stored)
        combines = stored.status == 200 and strong_etag(received.head) is not None
        return combines and length is not None and self.slicer.lower.may_hold(length, policy)

    def admits(self, fill: Fill, stored: Stored) -> bool:
        """Whether it was; each of those who wait for it has asked."""
        policy = self._policy(fill, stored)
        asked = [self.slicer.lower.admits(fill.key, stored.variant, policy) for _ in fill.readers]
        return any(asked)

    async def with_whole(self, fill: Fill, stored: Stored, received: Received) -> bool:
        """Have such a body kept as it comes, the pace set by those who want its slices."""
        length = received.response.length
        assert length is not None
        stream = SliceStream(received, 0, length - 1)
        known = self.slicer.memory.peek(fill.key, stored.variant)
        if isinstance(known, SlicedEntry) and known.etag == strong_etag(received.head):
            stream.close()  # another request has begun it
            self.fills.discard(fill)
            fill.enter(Phase.SLICED)
            return True
        entry = self._entry(fill, stored, length)
        if entry is None:
            return False
        entry.below = {name: set() for name in self.slicer.lower.names_for(length)}
        self._offer(fill, entry, received)
        fill.enter(Phase.SLICED)
        await self.slicer.take(entry, 0, stream)
        return True

    def _entry(self, fill: Fill, stored: Stored, length: int) -> SlicedEntry | None:
        """An entry without slices; None when it may not be stored, or there is no room."""
        entry = SlicedEntry(fill.key, stored, length)
        purged = self.slicer.memory.purged_since(fill.sequence, fill.key, stored.tags)
        if purged or not self.slicer.memory.store(entry):
            return None
        self.uncacheable.forget(fill.key)
        self.fills.discard(fill)
        return entry

    def _offer(self, fill: Fill, entry: SlicedEntry, received: Received | None) -> None:
        if self.slicer.lower.tiers:
            policy = self._policy(fill, entry.stored)
            second_hand = received is not None and received.peer
            self.slicer.lower.offer(entry, policy, second_hand=second_hand)

    def _policy(self, fill: Fill, stored: Stored) -> CachePolicy:
        head = stored.head
        return self.slicer.in_force.policies.for_response(fill.request, head)
