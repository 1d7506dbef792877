"""What is stored for a request."""

from cache_policies.rejudge import rejudge
from cache_policies.storing import NoStore
from edge.ask import Ask
from edge.entry import Entry
from edge.filling import Filler


def find(filler: Filler, ask: Ask, now_mono: float) -> Entry | None:
    """What is stored for a request; judged anew if that was under other policies."""
    memory, policies = filler.memory, filler.in_force.policies
    entry = memory.find(ask.key, ask.request.fields)
    if entry is None:
        return None
    if entry.stored.policy_epoch == policies.epoch and not entry.is_outdated:
        return entry
    before = entry.stored
    judged = rejudge(before, ask.request, policies)
    tags = () if isinstance(judged, NoStore) else (*before.tags, *judged.stored.tags)
    # rules may have tagged it: a purge since then has not looked at it
    gone = memory.purged_since(before.purge_sequence, ask.key, tags, hard=True)
    if isinstance(judged, NoStore) or gone:
        memory.remove(entry)
        return None
    memory.freshen(entry, judged.stored)
    if memory.purged_since(before.purge_sequence, ask.key, tags):
        entry.expire(now_mono)  # a soft purge touched it
    return entry
