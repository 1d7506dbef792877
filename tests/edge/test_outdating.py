"""A switch of policies: nothing judged by others answers as it is, whatever its form in memory."""

from dataclasses import replace

from cache_policies.policies import Policies
from edge.entry import Entry
from edge.memory import Memory
from edge.settings import MIB
from edge.sliced import SlicedEntry
from tests.support.responses import stored
from tests.support.rules import compiled

OTHER = compiled("rules: [{name: a, set: {ttl: 9s}}]")
KEYED = compiled("rules: [{name: a, set: {query: none}}]")
FRESH = stored('cache-control: max-age=60 | etag: "a"')
VARIED = stored("cache-control: max-age=60 | vary: a", asked="a: 1")


def memory_of(*entries: Entry) -> Memory:
    memory = Memory(64 * MIB)
    for entry in entries:
        assert memory.store(entry)
    return memory


def test_all_that_other_policies_judged_is_outdated_once():
    plain = Entry(b"http://h/a", FRESH, [b"x"])
    varied = Entry(b"http://h/b", VARIED, [b"x"])
    parts = SlicedEntry(b"http://h/c", FRESH, 3 * MIB, {1: bytes(MIB)})
    later = Entry(b"http://h/d", replace(FRESH, policy_epoch=OTHER.epoch), [b"x"])
    memory = memory_of(plain, varied, parts, later)
    memory.switch(OTHER)
    assert [shard for shard in memory.index.shards if shard] == []  # no hit path finds them
    memory.index.settle(10_000)
    assert [each.is_outdated for each in (plain, varied, parts, later)] == [True, True, True, False]
    assert parts.part_until < 0
    for entry in (plain, varied, parts):
        memory.freshen(entry, replace(entry.stored, policy_epoch=OTHER.epoch))
        assert not entry.is_outdated
    assert parts.part_until > 0


def test_what_no_key_leads_to_any_more_is_gone():
    memory = memory_of(
        Entry(b"http://h/a?x", FRESH, [b"x"]), kept := Entry(b"http://h/a", FRESH, [b"x"])
    )
    memory.switch(KEYED)
    memory.index.settle(10_000)
    assert len(memory) == 1
    assert memory.holds(kept)
    memory.switch(Policies.bare())
    assert memory.find(b"http://h/a", ()) is kept
