"""The memory tier: stored responses by key and variant within a byte budget, and their purges."""

import sys
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from cache_policies.cache_status import Forward
from cache_policies.contest import Objective
from cache_policies.departures import Departures
from cache_policies.message import Fields
from cache_policies.policies import Policies
from cache_policies.stored import Stored
from cache_policies.tournament import Tournament
from cache_policies.vary import variant_key
from cache_policies.why import Why
from edge.arena import Slice
from edge.entry import Entry
from edge.hot_slices import HotSlices
from edge.index import SHARDS, Index
from edge.packing import Traits
from edge.purge_names import touches, url_key
from edge.purges import Purge, PurgeKind
from edge.recent_purges import RecentPurges
from edge.sliced import SlicedEntry
from edge.spares import REFERENCES, Spares
from edge.tags import Tags
from edge.variants import Variants, entries_of

VARIANTS_MAX: Final = 64  # of one resource; the oldest makes room
SHORT_AT: Final = 1.0  # of the budget: fills pause, slow readers are cut
FULL_AT: Final = 1.06  # nothing more is asked of an upstream
_WATCHED_BYTES: Final = 16_384  # smaller ones are copied on their way to a player
_AT_ONCE_MAX: Final = 1024  # entries that a purge may look at while everybody waits: 5 ms
_SETTLED_AT_ONCE: Final = 64  # keys: half a millisecond
_TRAITS_MAX: Final = 4096  # kinds of responses that share what they have in common
_SWEPT_AFTER: Final = 64  # more objects watched: look which of them are still held


Order: TypeAlias = tuple[Purge, float] | Policies | None
"""What is still to be done to what is set aside: a purge and when it came, a switch, a mark."""


class Memory:
    """What this worker has stored. Only the worker's own loop may call it."""

    def __init__(
        self,
        budget_bytes: int,
        relieve: Callable[[], None] = lambda: None,
        objective: Objective = Objective.BYTES,
    ) -> None:
        """`relieve` is called when evicting is not enough: senders hold what was evicted."""
        self.budget_bytes = budget_bytes
        self._relieve = relieve
        self.index: Index[Entry | Variants, Order] = Index(self._settle)
        self.fill_bytes = 0  # of bodies that are still arriving
        self.ahead_bytes = 0  # read from upstreams before anybody asked
        self.rendered_bytes = 0  # of what players get instead of what is stored
        self.held_bytes = 0  # evicted or passed on, but a sender still has them
        self.evictions = 0
        self.departures = Departures()
        self.tournament: Tournament[Entry] = Tournament(budget_bytes, objective)
        self.hot = HotSlices(budget_bytes)
        self.spares = Spares(budget_bytes, self._sweep_few)
        self._tags = Tags()
        self._traits: dict[Traits, Traits] = {}
        self._cooled = 0  # the shard of the index that is cooled next
        self._held: dict[int, Slice] = {}  # by id: variants may share a body
        self._sweep_at = _SWEPT_AFTER
        self._purges = RecentPurges()
        self._mark: Callable[[Entry], None] = lambda _: None

    def __len__(self) -> int:
        return len(self.tournament)

    @property
    def used_bytes(self) -> int:
        """Everything that counts against the budget."""
        return self.tournament.used_bytes + self._passing_bytes

    @property
    def _passing_bytes(self) -> int:
        """What evicting does not give back."""
        return self.fill_bytes + self.ahead_bytes + self.rendered_bytes + self.held_bytes

    def fullness(self) -> float:
        """How much of the budget is in use."""
        return self.used_bytes / self.budget_bytes

    def shortage(self) -> float:
        """0 while all fits, 1 when nothing more may come in."""
        over = self.fullness() - SHORT_AT
        return min(1.0, max(0.0, over / (FULL_AT - SHORT_AT)))

    def relieve(self) -> float:
        """Make what room there is to be made; return the shortage that is left."""
        if self.used_bytes > self.budget_bytes:
            self._make_room(0)
        return self.shortage()

    # look-up

    def vary(self, key: bytes) -> tuple[bytes, ...]:
        """The selecting field names known for `key`."""
        found = self.index.get(key)
        return found.vary if type(found) is Variants else ()

    def find(self, key: bytes, fields: Fields) -> Entry | None:
        """The stored response that this request selects, fresh or not."""
        found = self.index.get(key)
        if type(found) is Variants:
            found = found.entries.get(variant_key(found.vary, fields))
        if found is not None:
            assert isinstance(found, Entry)
            found.mark += 1
        return found

    def miss(self, key: bytes) -> tuple[Forward, Why]:
        """Why a request that selects nothing stored under `key` is forwarded."""
        if self.index.get(key) is not None:
            return Forward.VARY_MISS, Why.VARY
        return Forward.URI_MISS, self.departures.why(key)

    def peek(self, key: bytes, variant: bytes) -> Entry | None:
        """The entry of this key and variant, for another purpose than serving it."""
        found = self.index.get(key)
        if type(found) is Variants:
            return found.entries.get(variant)
        return found if isinstance(found, Entry) and found.stored.variant == variant else None

    def variants(self, key: bytes) -> Iterable[Entry]:
        """All stored responses of a resource, the latest first."""
        return reversed(entries_of(self.index.get(key)))

    # storing

    def store(self, entry: Entry) -> bool:
        """Keep an entry in place of the one it replaces; False when it does not fit."""
        self._make_room(entry.size_bytes)
        if entry.size_bytes + self._passing_bytes > self.budget_bytes:
            return False
        replaced = self._variant(entry)
        if replaced is not None:
            self.remove(replaced)
        self._mark(entry)
        self._insert(entry)
        for victim in self.tournament.admit(entry):
            self._evicted(victim)
        self._tag(entry)
        return True

    def grow(self, entry: SlicedEntry, number: int, data: bytes, bytes_max: int) -> bool:
        """Keep one more slice, in place of the entry's oldest ones if it gets too large.

        False when there is no room, or the entry is not stored any more.
        """
        self._make_room(len(data))
        fits = len(data) <= min(bytes_max, self.budget_bytes - self._passing_bytes)
        if not fits or not self.holds(entry):
            return False
        self.tournament.remove(entry)
        self.watch(entry.add(number, data, bytes_max))
        for victim in self.tournament.admit(entry):
            self._drop(victim)
            self.evictions += 1
        return self.holds(entry)

    def freshen(self, entry: Entry, stored: Stored) -> None:
        """Take a new head for an entry, whether it is still stored or not (RFC 9111 §4.3.4)."""
        is_held = self.holds(entry)
        if is_held:
            self._untag(entry)
        entry.freshen(stored)
        self._mark(entry)
        if is_held:
            self._tag(entry)

    def holds(self, entry: Entry) -> bool:
        """Whether `entry` is still stored."""
        return self._variant(entry) is entry

    def remove(self, entry: Entry) -> None:
        """Forget an entry; senders that have its body keep it until they are done."""
        if self.tournament.remove(entry):
            self._drop(entry)

    def reserve(self, piece_bytes: int) -> bool:
        """Count bytes of an arriving body, evicting for them; False when nothing more fits."""
        self.fill_bytes += piece_bytes
        if self.used_bytes > self.budget_bytes:
            self._make_room(0)
        return self.used_bytes <= self.budget_bytes

    def release(self, piece_bytes: int) -> None:
        """Stop counting bytes that were reserved."""
        self.fill_bytes -= piece_bytes

    def ahead(self, piece_bytes: int) -> None:
        """Count bytes that were read ahead of their readers; negative when they are taken."""
        self.ahead_bytes += piece_bytes

    def watch(self, pieces: Iterable[Slice]) -> None:
        """Count what may be on its way to players still, for as long as it is."""
        for data in pieces:
            self._hold(data)
        self._sweep_in_time()

    def let_go(self, pieces: Iterable[Slice]) -> None:
        """Count what senders still have of a body that nobody else needs; the rest is spare."""
        for data in pieces:
            if sys.getrefcount(data) > REFERENCES:
                self._hold(data)
            else:
                self.spares.give(data)
        self._sweep_in_time()

    def _sweep_in_time(self) -> None:
        if len(self._held) > self._sweep_at:
            self.sweep_held()

    def _hold(self, data: Slice) -> None:
        if len(data) >= _WATCHED_BYTES and id(data) not in self._held:
            self._held[id(data)] = data
            self.held_bytes += len(data)

    def _make_room(self, wanted_bytes: int) -> None:
        """Evict until `wanted_bytes` more fit, or nothing is left to evict."""
        self.sweep_held()
        while len(self.tournament) and self.used_bytes + wanted_bytes > self.budget_bytes:
            room = self.budget_bytes - self._passing_bytes - wanted_bytes
            for victim in self.tournament.shrink(max(0, room)):
                self._evicted(victim)  # it may still be held: then it made no room
        if self.used_bytes + wanted_bytes > self.budget_bytes:
            self._relieve()

    def _sweep_few(self) -> None:
        """Look for what has come free, if that is soon done: while somebody needs it."""
        if len(self._held) <= 2 * _SWEPT_AFTER:
            self.sweep_held()

    def sweep_held(self) -> None:
        """Stop counting evicted bodies that their last sender has let go of."""
        if self._held:
            before, self._held = self._held, {}
            for data in before.values():
                if sys.getrefcount(data) > REFERENCES:
                    self._held[id(data)] = data
                else:
                    self.spares.give(data)
            self.held_bytes = sum(map(len, self._held.values()))
        self._sweep_at = 2 * len(self._held) + _SWEPT_AFTER

    def _variant(self, entry: Entry) -> Entry | None:
        found = self.index.get(entry.key)
        if type(found) is Variants:
            return found.entries.get(entry.variant) if found.vary == entry.vary else None
        return found if isinstance(found, Entry) and not entry.vary else None

    def _insert(self, entry: Entry) -> None:
        found = self.index.get(entry.key)
        vary = entry.vary
        if type(found) is Variants and found.vary != vary:
            for other in list(found.entries.values()):
                self.remove(other)
            found = None
        elif isinstance(found, Entry) and vary:
            self.remove(found)
            found = None
        if not vary:
            self.index[entry.key] = entry
            return
        if found is None:
            found = self.index[entry.key] = Variants(vary)
        assert type(found) is Variants
        if len(found.entries) >= VARIANTS_MAX:
            self.remove(next(iter(found.entries.values())))
            self.index[entry.key] = found
        found.entries[entry.variant] = entry

    def _evicted(self, victim: Entry) -> None:
        self._drop(victim)
        self.departures.note(victim.key, Why.CAPACITY)
        self.evictions += 1

    def _drop(self, entry: Entry) -> None:
        """Take an entry that eviction has let go of out of the index and the tags."""
        found = self.index.get(entry.key)
        if found is entry:
            del self.index[entry.key]
        elif type(found) is Variants and found.entries.get(entry.variant) is entry:
            del found.entries[entry.variant]
            if not found.entries:
                del self.index[entry.key]
        self._untag(entry)
        self.let_go(entry.held())

    def _tag(self, entry: Entry) -> None:
        if len(self._traits) >= _TRAITS_MAX:
            self._traits.clear()
        entry.share(self._traits)
        self._tags.add(entry, entry.tags)

    def _untag(self, entry: Entry) -> None:
        self._tags.discard(entry, entry.tags)

    def step(self, now_mono: float) -> None:
        """Do a bounded piece of what was left to be done later; call it 20 times a second."""
        self.tournament.step(now_mono)
        self.watch(self.hot.step(self.holds))
        for found in self.index.shards[self._cooled].values():
            if type(found) is Entry:
                found.cool(now_mono)
        self._cooled = (self._cooled + 1) % SHARDS
        if not self._cooled:
            self.sweep_held()

    def settle(self) -> bool:
        """Carry out purges on the next few keys that wait for them; whether any are left."""
        self.index.settle(_SETTLED_AT_ONCE)
        return not self.index.is_settled

    # purging

    def apply(self, purge: Purge, now_mono: float) -> None:
        """Carry out a purge: what it names is not found from now on, or found stale."""
        self._purges.note(purge)
        if self._looked_at(purge) > _AT_ONCE_MAX:
            self.index.set_aside((purge, now_mono))
        else:
            for entry in self._touched(purge):
                self._carry_out(purge, entry, now_mono)

    def _carry_out(self, purge: Purge, entry: Entry, now_mono: float) -> None:
        if purge.soft:
            entry.expire(now_mono)
        else:
            self.remove(entry)
            self.departures.note(entry.key, Why.PURGED)

    def switch(self, policies: Policies) -> None:
        """Have all that was stored under other policies judged anew before it answers again."""
        self.index.set_aside(policies)

    def mark(self, mark: Callable[[Entry], None]) -> None:
        """Have each entry marked by this, those that are here before anybody sees them again."""
        self._mark = mark
        self.index.set_aside(None)

    def _outdate(self, entry: Entry, policies: Policies) -> None:
        if entry.policy_epoch == policies.epoch:
            return
        if policies.keeps_key(entry.key):
            entry.outdate()
        else:  # nothing is looked up under that name any more
            self.remove(entry)

    def _settle(self, key: bytes, found: Entry | Variants, orders: list[Order]) -> None:
        """Carry out what was ordered when `found` was set aside, or later."""
        for entry in entries_of(found):
            for order in orders:
                if order is None:
                    self._mark(entry)
                elif isinstance(order, Policies):
                    self._outdate(entry, order)
                else:
                    purge, now_mono = order
                    tags = entry.tags if purge.kind is PurgeKind.TAG else ()
                    if touches(purge, key, tags):
                        self._carry_out(purge, entry, now_mono)

    def purged_since(
        self, sequence: int, key: bytes, tags: Iterable[bytes],
        until: int | None = None, *, hard: bool = False,
    ) -> bool:  # fmt: skip
        """Whether a purge after `sequence`, none after `until`, names what `key` and `tags` do."""
        return self._purges.any_since(sequence, key, tags, until, hard=hard)

    def _looked_at(self, purge: Purge) -> int:
        """How many entries must be looked at, or removed, to carry out a purge."""
        if purge.kind is PurgeKind.TAG:
            return len(self._tags.entries(purge.value))
        if purge.kind is PurgeKind.URL and not purge.value.startswith(b"/"):
            return 1
        return len(self)

    def _touched(self, purge: Purge) -> list[Entry]:
        if purge.kind is PurgeKind.TAG:
            return list(self._tags.entries(purge.value))
        if purge.kind is PurgeKind.URL and not purge.value.startswith(b"/"):
            return entries_of(self.index.get(url_key(purge.value)))
        return [
            entry
            for key, found in self.index.items()
            if touches(purge, key, ())
            for entry in entries_of(found)
        ]
