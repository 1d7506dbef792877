"""What memory answers a plain request with: the readable form of what the protocols do."""

from collections.abc import Sequence
from typing import NamedTuple

from cache_policies.key import normalise
from edge.body import Piece
from edge.delivery import Shape, lacks, plan
from edge.door import MARK, Holder, opens_anyhow
from edge.entry import Entry
from edge.heads import Facts, is_target
from edge.multipart import multipart
from edge.shared import Shared
from edge.sliced import SlicedEntry
from edge.variants import Variants


class Hit(NamedTuple):
    """A head as HTTP/1.1 writes it, and the `length` bytes of its body."""

    head: bytes
    pieces: Sequence[Piece]
    length: int


def look_up(
    shared: Shared, target: bytes, facts: Facts, player: Holder, now: float
) -> Entry | None:
    """The fresh entry that answers a plain request, after all purges that were published."""
    follower = shared.follower
    if follower.epoch_word[0] != follower.word:
        lines = shared.lines
        follower.catch_up()
        if shared.lines is not lines:
            return None  # other policies read this request in another way, perhaps
    bare: bytes | None = target
    if shared.door is not None and target[:2] == MARK:
        bare = shared.door.enter(target, facts, player, now)
    return None if bare is None else _fresh(shared, bare, facts, now, opened=bare is not target)


def _fresh(
    shared: Shared, target: bytes, facts: Facts, now: float, *, opened: bool
) -> Entry | None:
    """The fresh entry of a target without a token, which one has `opened` or not."""
    if b"CMCD=" in target:
        if not is_target(target):
            return None
        target = normalise(target)[1]
    entry = shared.memory.index.get(facts.prefix + target)
    if type(entry) is Variants:
        entry = entry.entries.get(facts.variant(entry.vary))
    if entry is None and shared.policies.reduces:
        if not is_target(target):
            return None
        reduced = shared.policies.reduced(facts.host, target)
        return _fresh(shared, reduced, facts, now, opened=opened) if reduced != target else None
    if isinstance(entry, Entry) and entry.signed is not opened and not opens_anyhow(target, opened):
        return None
    if isinstance(entry, SlicedEntry):
        wanted = facts.selecting and now < entry.part_until
        return entry if wanted and not lacks(entry, facts.request) else None
    if entry is None:
        return None
    assert type(entry) is Entry
    return entry if now < entry.fresh_until else shared.steering.rendered(entry, now)


def part_of(entry: Entry, facts: Facts, now: float) -> Hit:
    """The answer to a request that asks for less than the whole, or whether it has changed."""
    planned = plan(facts.request, entry.stored, entry.length)
    shape = planned.shape
    if shape is Shape.NOT_MODIFIED:
        return Hit(entry.not_modified_head(now), [], 0)
    if shape is Shape.UNSATISFIABLE:
        return Hit(entry.unsatisfiable_head(now), [], 0)
    if shape is Shape.PART:
        pieces = entry.pieces(planned.first, planned.last)
        head = entry.partial_head(now, planned.first, planned.last)
        return Hit(head, pieces, planned.last - planned.first + 1)
    if shape is Shape.PARTS:
        around = multipart(planned.spans, entry.length, entry.stored.fields)
        head = entry.multipart_head(now, around)
        return Hit(head, around.pieces(entry.pieces), around.length)
    if facts.method == b"HEAD":
        return Hit(entry.hit_head(now), [], 0)
    return Hit(entry.hit_head(now), entry.pieces(0, entry.length - 1), entry.length)
