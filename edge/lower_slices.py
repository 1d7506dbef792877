"""Slices of an entry in the tiers below memory: of the very same representation, none purged."""

from dataclasses import dataclass
from typing import NamedTuple

from cache_policies.message import RequestHead
from cache_policies.policies import Policies
from edge.errors import StorageError
from edge.held import combines_by, stored_form
from edge.promoting import LowerTiers
from edge.sliced import SlicedEntry
from edge.tier import Held, Tier


@dataclass(frozen=True, slots=True)
class Wanted:
    """A slice, and for which request: that selects among variants."""

    entry: SlicedEntry
    request: RequestHead
    slice_no: int


class FoundSlice(NamedTuple):
    """A slice, verified."""

    data: bytes
    tier: str  # that had it


async def slice_of(lower: LowerTiers, wanted: Wanted, policies: Policies) -> FoundSlice | None:
    """A slice from the nearest tier that has it; None when none does, or not in time."""
    below, slice_no = wanted.entry.below, wanted.slice_no
    for tier in lower.asked_for(wanted.request, policies):
        data = await _read(lower, tier, wanted, policies)
        if data is not None:
            if tier.name in below:
                below[tier.name].add(slice_no)
            return FoundSlice(data, tier.name)
        if tier.name in below:
            below[tier.name].discard(slice_no)  # it went: it may be given once more
    return None


async def _read(lower: LowerTiers, tier: Tier, wanted: Wanted, policies: Policies) -> bytes | None:
    held = await _find(lower, tier, wanted, policies)
    if held is None:
        return None
    try:
        data = await held.read(wanted.slice_no)
    except StorageError:
        return None
    finally:
        held.close()
    lower.counters.of_tier(tier.name, "hits")
    return data


async def has_slice(lower: LowerTiers, wanted: Wanted, policies: Policies) -> bool:
    """Whether `slice_of` would give it, as far as heads show."""
    for tier in lower.asked_for(wanted.request, policies):
        held = await _find(lower, tier, wanted, policies)
        if held is not None:
            held.close()
            return True
    return False


async def forget(lower: LowerTiers, wanted: Wanted, policies: Policies) -> None:
    """Drop what begins a representation that the origin no longer has: its rest is nowhere."""
    entry = wanted.entry
    for tier in lower.asked_for(wanted.request, policies):
        held = await tier.find(entry.key, wanted.request.fields)
        if held is None:
            continue
        if (combines_by(held.head), held.length) == (entry.etag, entry.length):
            held.drop()
        else:
            held.close()


async def _find(lower: LowerTiers, tier: Tier, wanted: Wanted, policies: Policies) -> Held | None:
    """What has a slice of this very representation (RFC 9111 §3.4), if no purge has named it."""
    entry = wanted.entry
    held = await tier.find(entry.key, wanted.request.fields, wanted.slice_no)
    if held is None:
        lower.counters.of_tier(tier.name, "misses")
        return None
    stored = stored_form(held, wanted.request, policies)
    if stored is None or (combines_by(held.head), held.length) != (entry.etag, entry.length):
        held.close()
        return None
    tags = (*held.tags, *stored.tags, *entry.stored.tags)
    if lower.purged.since(held.purge_sequence, entry.key, tags):
        lower.counters.of_tier(tier.name, "purged")
        held.drop()
        return None
    return held
