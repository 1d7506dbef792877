"""What is stored for a request, in memory or below: what answers a HEAD, or instead of an error."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from cache_policies.cache_status import CacheStatus
from cache_policies.freshness import may_serve_on_error
from cache_policies.reuse import stale_if_error_asked_s
from cache_policies.why import Why
from edge.ask import Ask
from edge.asking import SERVER_ERRORS
from edge.delivery import Answer, lacks, of_stored
from edge.entry import Entry
from edge.errors import DownstreamError, EdgeError
from edge.filling import Filler
from edge.finding import find
from edge.sliced import SlicedEntry
from edge.slicing import Source


@dataclass(frozen=True, slots=True)
class StandingIn:
    """Finds what nobody has to be asked for; one per exchange."""

    filler: Filler

    async def to_head(self, ask: Ask) -> Answer | None:
        """The answer to a HEAD for what only lower tiers have, if they have it fresh."""
        policies = self.filler.in_force.policies
        found = await self.filler.slicer.lower.head(ask.key, ask.request, policies)
        if found is None:
            return None
        now_mono = time.monotonic()
        entry = SlicedEntry(ask.key, found.stored, found.stored.length or 0)
        says = replace(found.says, ttl_s=entry.ttl_s(now_mono))
        return of_stored(entry, ask.request, says, now_mono).says(says, found.tier)

    async def on_error(self, ask: Ask, error: EdgeError | None = None) -> Answer | None:
        """What is stored by now and better than an error (RFC 5861 §4), if anything is."""
        if isinstance(error, DownstreamError):
            return None
        now_mono = time.monotonic()
        entry = find(self.filler, ask, now_mono)
        if entry is None or entry.stored.status in SERVER_ERRORS:
            return None
        asked_s = stale_if_error_asked_s(ask.request, ask.policy)
        if not may_serve_on_error(entry.stored, now_mono, asked_s):
            return None
        says = CacheStatus(ttl_s=entry.ttl_s(now_mono), detail=Why.STALE_IF_ERROR.value)
        if not lacks(entry, ask.request):
            return of_stored(entry, ask.request, says, now_mono)
        return await self._of_slices(ask, entry, says)

    async def _of_slices(self, ask: Ask, entry: Entry, says: CacheStatus) -> Answer | None:
        """What lower tiers have of it, where that is all."""
        if not isinstance(entry, SlicedEntry):
            return None
        asked, slicer = replace(ask.asked, only_held=True), self.filler.slicer
        source = Source(entry, ask.request, asked, entry.stored.purge_sequence)
        try:
            return await slicer.answer(source, says) if await slicer.holds(source) else None
        except EdgeError:
            return None
