"""What is stored for a request, and whether it may stand in for an error."""

from cache_policies.cache_status import CacheStatus
from cache_policies.freshness import may_serve_on_error
from cache_policies.rejudge import rejudge
from cache_policies.reuse import stale_if_error_asked_s
from cache_policies.storing import NoStore
from cache_policies.why import Why
from edge.ask import Ask
from edge.asking import SERVER_ERRORS
from edge.delivery import Answer, lacks, of_stored
from edge.entry import Entry
from edge.errors import DownstreamError, EdgeError
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
    if isinstance(judged, NoStore):
        memory.remove(entry)
        return None
    memory.freshen(entry, judged.stored)
    if memory.purged_since(before.purge_sequence, ask.key, before.tags):
        entry.expire(now_mono)  # a soft purge touched it
    return entry


def usable_on_error(
    filler: Filler, ask: Ask, now_mono: float, error: EdgeError | None = None
) -> Entry | None:
    """What is stored by now and better than an error (RFC 5861 §4), if anything is."""
    if isinstance(error, DownstreamError):
        return None
    entry = find(filler, ask, now_mono)
    if entry is None or entry.stored.status in SERVER_ERRORS or lacks(entry, ask.request):
        return None
    asked_s = stale_if_error_asked_s(ask.request, ask.policy)
    return entry if may_serve_on_error(entry.stored, now_mono, asked_s) else None


def standing_in(ask: Ask, entry: Entry, now_mono: float) -> Answer:
    """The answer from what is stored, in place of an error."""
    says = CacheStatus(ttl_s=entry.ttl_s(now_mono), detail=Why.STALE_IF_ERROR.value)
    return of_stored(entry, ask.request, says, now_mono)
