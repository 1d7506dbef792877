"""The memory tier: budget, variants, purges, and bodies that senders still hold."""

import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_policies.freshness import judge
from cache_policies.stored import Stored
from cache_policies.why import Reuse
from edge.collapse import Uncacheable
from edge.entry import OVERHEAD_BYTES, Entry
from edge.memory import Memory
from edge.packing import variant as variant_of
from edge.purge_names import touches, url_key
from edge.purges import Purge, PurgeKind
from edge.variants import entries_of

KIB, MIB = 1024, 1024 * 1024


def entry(key=b"http://a/x", body=b"body", tags=(), vary=(), variant=b"", lifetime_s=60.0):
    stored = Stored(
        status=200,
        fields=(),
        date_wall=1000.0,
        age_s=0.0,
        response_wall=1000.0,
        response_mono=10.0,
        response_delay_s=0.0,
        lifetime_s=lifetime_s,
        tags=tags,
        vary=vary,
        variant=variant,
    )
    return Entry(key, stored, [body] if body else [])


def purge(kind, value=b"", *, sequence=1, soft=False):
    return Purge(sequence=sequence, kind=kind, value=value, soft=soft)


def purged(memory, what):
    """How many entries a purge takes away."""
    before = len(memory)
    memory.apply(what, 10.0)
    return before - len(memory)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 40 * KIB), st.booleans())))
def test_the_budget_holds(steps):
    memory = Memory(128 * KIB)
    for number, size, varies in steps:
        vary, variant = ((b"accept-language",), b"%d" % size) if varies else ((), b"")
        memory.store(entry(b"http://a/%d" % number, b"x" * size, (b"t",), vary, variant))
        memory.find(b"http://a/%d" % (number // 2), ())
        assert memory.used_bytes <= memory.budget_bytes
    held = {id(each) for _, found in memory.index.items() for each in entries_of(found)}
    assert len(held) == len(memory)
    memory.apply(purge(PurgeKind.TAG, b"t"), 10.0)
    assert (len(memory), len(memory.index), len(memory._tags)) == (0, 0, 0)


def test_a_replaced_entry_leaves_nothing_behind():
    memory = Memory(MIB)
    for tag in (b"one", b"two"):
        memory.store(entry(tags=(tag,)))
    assert len(memory) == 1
    assert memory.used_bytes == entry().size_bytes
    assert purged(memory, purge(PurgeKind.TAG, b"one")) == 0
    assert purged(memory, purge(PurgeKind.TAG, b"two")) == 1


def test_removing_what_was_replaced_leaves_its_successor():
    memory = Memory(MIB)
    old, new = entry(), entry(tags=(b"new",))
    memory.store(old)
    memory.store(new)
    memory.remove(old)  # by a fill that began with it
    assert memory.find(new.key, ()) is new
    assert (len(memory), memory.used_bytes) == (1, new.size_bytes)
    assert purged(memory, purge(PurgeKind.ALL)) == 1
    assert (len(memory), len(memory.index), len(memory._tags)) == (0, 0, 0)


def test_purge_tags_are_those_of_the_last_validation():
    memory = Memory(MIB)
    validated = entry(tags=(b"one",))
    memory.store(validated)
    memory.freshen(validated, replace(validated.stored, tags=(b"two",)))
    assert purged(memory, purge(PurgeKind.TAG, b"one")) == 0
    assert purged(memory, purge(PurgeKind.TAG, b"two")) == 1
    memory.freshen(validated, replace(validated.stored, tags=(b"three",)))  # nobody has it now
    assert len(memory._tags) == 0


def test_variants_are_selected_and_a_new_vary_replaces_them():
    memory = Memory(MIB)
    vary = (b"accept-language",)
    for language in (b"tr", b"de"):
        memory.store(entry(body=language, vary=vary, variant=language))
    found = memory.find(b"http://a/x", ((b"accept-language", b"tr"),))
    assert found is None or found.slices == (b"tr",)
    assert memory.vary(b"http://a/x") == vary
    memory.store(entry(body=b"any"))
    assert len(memory) == 1
    assert memory.vary(b"http://a/x") == ()


def test_a_body_that_a_sender_holds_counts_until_it_is_let_go():
    memory = Memory(8 * MIB)
    one = entry(body=bytes(2 * MIB))
    memory.store(one)
    sending = one.slices[0]
    memory.remove(one)
    del one
    assert memory.held_bytes == len(sending)
    memory.sweep_held()
    assert memory.used_bytes == 2 * MIB
    del sending
    memory.sweep_held()
    assert memory.used_bytes == 0


def test_a_body_that_variants_share_is_held_once():
    memory = Memory(8 * MIB)
    one = entry(body=bytes(2 * MIB), vary=(b"a",), variant=b"1")
    memory.store(one)
    memory.store(one.twin(replace(one.stored, variant=b"2")))
    memory.store(one.twin(replace(one.stored, variant=b"3")))
    sending = one.slices[0]
    del one
    assert [found.variant for found in memory.variants(b"http://a/x")] == [b"3", b"2", b"1"]
    for found in memory.variants(b"http://a/x"):
        memory.remove(found)
    del found
    assert memory.used_bytes == 2 * MIB
    memory.sweep_held()
    assert memory.used_bytes == 2 * MIB
    del sending
    memory.sweep_held()
    assert memory.used_bytes == 0


def test_what_was_told_of_twice_is_let_go_of_once():
    memory = Memory(1 << 30)
    data = bytes(1 << 20)
    memory.watch([data])
    memory.watch([data])
    memory.sweep_held()
    assert memory.held_bytes == len(data)
    del data
    memory.sweep_held()
    assert memory.held_bytes == 0


def test_what_is_held_leaves_less_for_the_rest():
    memory = Memory(4 * MIB)
    sending = []
    for number in range(10):
        each = entry(b"http://a/%d" % number, bytes(MIB))
        stored = memory.store(each)
        if stored:
            sending.append(each.slices[0])
        assert memory.used_bytes <= 4 * MIB
    assert not stored  # all that was evicted is still held
    sending.clear()
    assert memory.store(entry(body=bytes(MIB)))


def test_arriving_bodies_push_out_stored_ones():
    memory = Memory(2 * MIB)
    memory.store(entry(body=bytes(MIB)))
    assert memory.reserve(MIB)
    assert len(memory) == 0
    assert not memory.reserve(2 * MIB)
    memory.release(3 * MIB)
    assert memory.used_bytes == 0


def test_an_entry_beyond_the_budget_is_not_kept():
    memory = Memory(MIB)
    assert not memory.store(entry(body=bytes(MIB)))
    assert len(memory) == 0


TOUCHED = [
    (PurgeKind.ALL, b"", True),
    (PurgeKind.TAG, b"t", True),
    (PurgeKind.TAG, b"u", False),
    (PurgeKind.URL, b"http://a/x?y", True),
    (PurgeKind.URL, b"http://A:80/x?y", True),
    (PurgeKind.URL, b"http://a/x?CMCD=bl%3D1&y", True),
    (PurgeKind.URL, b"http://a/x", False),
    (PurgeKind.URL, b"/x?y", True),
    (PurgeKind.URL, b"/x", False),
    (PurgeKind.PREFIX, b"http://a/", True),
    (PurgeKind.PREFIX, b"/x", True),
    (PurgeKind.PREFIX, b"http://b/", False),
    (PurgeKind.PREFIX, b"/a", False),
]


@pytest.mark.parametrize(("kind", "value", "touched"), TOUCHED)
def test_what_a_purge_touches(kind, value, touched):
    assert touches(purge(kind, value), b"http://a/x?y", (b"t",)) is touched
    memory = Memory(MIB)
    memory.store(entry(b"http://a/x?y", tags=(b"t",)))
    assert purged(memory, purge(kind, value)) == touched
    assert len(memory) == (not touched)
    assert memory.purged_since(0, b"http://a/x?y", (b"t",)) is touched
    assert not memory.purged_since(1, b"http://a/x?y", (b"t",))


def test_a_soft_purge_makes_stale():
    memory = Memory(MIB)
    one = entry(tags=(b"t",))
    memory.store(one)
    memory.apply(purge(PurgeKind.TAG, b"t", soft=True), 15.0)
    assert memory.find(one.key, ()) is one
    assert one.fresh_until <= 15.0
    assert one.ttl_s(15.0) == 0
    assert one.stored.lifetime_s == 5.0


@given(st.floats(0, 1e7), st.floats(0, 1e5), st.floats(0, 1e5))
def test_what_is_purged_softly_is_stale_at_that_very_moment(response_mono, later_s, age_s):
    purged = entry(lifetime_s=1e6)
    purged.freshen(replace(purged.stored, response_mono=response_mono, age_s=age_s))
    now_mono = response_mono + later_s
    purged.expire(now_mono)
    assert now_mono >= purged.fresh_until
    assert judge(purged.stored, now_mono) is not Reuse.FRESH


def test_url_key():
    assert url_key(b"HTTP://A:80/p?CMCD=x") == b"http://a/p"
    assert url_key(b"/p?q") == b"/p?q"
    assert url_key(b"https://a") == b"https://a/"


def test_an_entry_counts_its_head_and_overhead():
    assert entry(body=b"").size_bytes > OVERHEAD_BYTES


def test_an_entry_counts_what_players_choose_of_it():
    """The key and the selecting values are theirs: long ones may not slip past the budget."""
    plain = entry(body=b"").size_bytes
    assert entry(key=b"http://a/" + b"x" * 8_000, body=b"").size_bytes > plain + 7_700
    variant = b"v" * 20_000
    assert entry(vary=(b"x",), variant=variant, body=b"").size_bytes > plain + 19_700


def test_long_selecting_values_are_kept_with_their_entry_alone():
    memory = Memory(1 << 20)
    memory.store(entry(vary=(b"x",), variant=b"v" * 20_000))
    memory.store(entry(vary=(b"x",), variant=b"short"))
    assert [variant_of(known) for known in memory._traits] == [b"short"]


def test_names_that_are_not_worth_waiting_for_are_not_kept_whole():
    key = b"http://a/" + b"x" * 8_000
    before = sys.getrefcount(key)
    keys = Uncacheable(2, 120.0)
    keys.remember(key, 0.0)
    assert sys.getrefcount(key) == before
    assert (key, 1.0) in keys


def test_uncacheable_keys_are_remembered_for_a_while_and_are_bounded():
    keys = Uncacheable(2, 120.0)
    for number in range(3):
        keys.remember(b"%d" % number, 0.0)
    assert (b"0", 1.0) not in keys
    assert (b"1", 119.0) in keys
    assert (b"1", 120.0) not in keys
    keys.forget(b"2")
    assert (b"2", 1.0) not in keys


MANY = 3000  # more than a purge looks at while everybody waits


def many(**about):
    memory = Memory(16 * MIB)
    for number in range(MANY):
        memory.store(entry(b"http://a/%d" % number, b"x", tags=(b"t%d" % (number % 2),), **about))
    return memory


def found_by_hits(memory):
    """The entries that the hit path can see."""
    return sum(map(len, memory.index.shards))


@pytest.mark.parametrize("kind_value", [(PurgeKind.ALL, b""), (PurgeKind.PREFIX, b"/")])
def test_a_large_purge_hides_at_once_and_settles_by_and_by(kind_value):
    memory = many()
    memory.apply(purge(*kind_value), 10.0)
    assert found_by_hits(memory) == 0
    assert memory.find(b"http://a/7", ()) is None
    memory.store(entry(b"http://a/new"))
    assert memory.find(b"http://a/new", ()) is not None
    steps = 0
    while memory.settle():
        steps += 1
    assert 1 < steps < 60
    assert len(memory) == len(memory.index) == 1
    assert memory.find(b"http://a/new", ()) is not None


def test_what_a_large_purge_does_not_name_comes_back():
    memory = many()
    memory.apply(purge(PurgeKind.PREFIX, b"http://a/1"), 10.0)
    assert memory.find(b"http://a/17", ()) is None
    assert memory.find(b"http://a/27", ()) is not None
    assert found_by_hits(memory) == 1
    memory.apply(purge(PurgeKind.TAG, b"t1", sequence=2), 10.0)
    assert memory.find(b"http://a/27", ()) is None
    assert memory.find(b"http://a/28", ()) is not None
    while memory.settle():
        pass
    assert len(memory) == len(memory.index) == sum(str(n)[0] != "1" for n in range(0, MANY, 2))
    assert found_by_hits(memory) == len(memory)


def test_a_large_soft_purge_makes_stale_whatever_is_asked_for():
    memory = many()
    memory.apply(purge(PurgeKind.ALL, soft=True), 15.0)
    assert found_by_hits(memory) == 0
    found = memory.find(b"http://a/3", ())
    assert found is not None
    assert found.fresh_until <= 15.0
    while memory.settle():
        pass
    assert found_by_hits(memory) == MANY


def test_what_is_set_aside_can_be_evicted_and_replaced():
    memory = many()
    memory.apply(purge(PurgeKind.PREFIX, b"/none", sequence=1), 10.0)
    memory.store(entry(b"http://a/5", b"other"))
    assert memory.find(b"http://a/5", ()).slices == (b"other",)
    memory.store(entry(b"http://a/large", bytes(15 * MIB)))
    assert len(memory) == len(memory.index)
    assert memory.used_bytes <= memory.budget_bytes


def test_an_entry_that_nobody_asks_for_cools():
    memory = Memory(MIB)
    one = entry()
    memory.store(one)
    head = one.hit_head(11.0)
    assert one.stored is one.stored  # made once while it is asked for
    for _ in range(256):
        memory.step(100.0)
    assert one.stored is not one.stored
    assert one.hit_head(11.0) == head
