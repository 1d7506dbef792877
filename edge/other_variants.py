"""What is stored for other selecting fields, as a miss makes use of it (RFC 9111 §4.1)."""

from dataclasses import dataclass, replace
from itertools import islice

from cache_policies.message import Fields
from cache_policies.other_variants import TAGS_MAX, chosen, may_answer, tag_fields
from cache_policies.renewing import renew
from edge.asking import Received
from edge.collapse import Fill
from edge.counters import Counters
from edge.entry import Entry
from edge.in_force import InForce
from edge.memory import Memory
from edge.sliced import SlicedEntry


@dataclass(frozen=True, slots=True)
class OtherVariants:
    """Offers the origin what is there, and takes what it chooses of that; one per worker."""

    memory: Memory
    in_force: InForce
    counters: Counters

    def of(self, fill: Fill) -> list[Entry]:
        """The latest that might answer the request of a fill for the whole, too."""
        if fill.slice_no is not None:
            return []
        suitable = (
            entry
            for entry in self.memory.variants(fill.key)
            if not isinstance(entry, SlicedEntry) and may_answer(entry.stored, fill.request)
        )
        return list(islice(suitable, TAGS_MAX))

    def tags(self, others: list[Entry]) -> Fields:
        """The condition that offers them."""
        return tag_fields(entry.stored for entry in others)

    def take(self, fill: Fill, others: list[Entry], received: Received) -> Entry | None:
        """Have the one that a 304 chooses answer a fill: its body, under a head of its own.

        None when it chooses none, or none that may be used.
        """
        number = chosen([entry.stored for entry in others], received.head)
        if number is None:
            return None
        other = others[number]
        policies = self.in_force.policies
        renewed = renew(other.stored, fill.request, received.head, received.times, policies)
        if renewed is None:
            return None
        stored = replace(renewed.stored, purge_sequence=received.as_of(fill.sequence))
        tags = (*stored.tags, *other.stored.tags)
        fill.exclusive = not renewed.is_shared
        if self.memory.purged_since(fill.sequence, fill.key, tags):
            fill.stale = other.twin(replace(stored, tags=tags))  # for those who asked before
            return fill.stale
        fill.stale = other.twin(stored)
        if renewed.why is None and self.memory.store(fill.stale):
            self.counters.stored += 1
        return fill.stale
