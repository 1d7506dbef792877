"""The memory tier: budget, variants, purges, and bodies that senders still hold."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_policies.stored import Stored
from edge.collapse import Uncacheable
from edge.entry import OVERHEAD_BYTES, Entry
from edge.memory import PURGES_REMEMBERED, Memory, touches, url_key
from edge.purges import Purge, PurgeKind

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


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 40 * KIB), st.booleans())))
def test_the_budget_holds(steps):
    memory = Memory(128 * KIB)
    for number, size, varies in steps:
        vary, variant = ((b"accept-language",), b"%d" % size) if varies else ((), b"")
        memory.store(entry(b"http://a/%d" % number, b"x" * size, (b"t",), vary, variant))
        memory.find(b"http://a/%d" % (number // 2), ())
        assert memory.used_bytes <= memory.budget_bytes
    held = {id(each) for found in memory.index.values() for each in memory._entries(found)}
    assert len(held) == len(memory)
    memory.apply(purge(PurgeKind.TAG, b"t"), 10.0)
    assert (len(memory), memory.index, memory._tagged) == (0, {}, {})


def test_a_replaced_entry_leaves_nothing_behind():
    memory = Memory(MIB)
    for tag in (b"one", b"two"):
        memory.store(entry(tags=(tag,)))
    assert len(memory) == 1
    assert memory.used_bytes == entry().size_bytes
    assert memory.apply(purge(PurgeKind.TAG, b"one"), 10.0) == 0
    assert memory.apply(purge(PurgeKind.TAG, b"two"), 10.0) == 1


def test_removing_what_was_replaced_leaves_its_successor():
    memory = Memory(MIB)
    old, new = entry(), entry(tags=(b"new",))
    memory.store(old)
    memory.store(new)
    memory.remove(old)  # by a fill that began with it
    assert memory.find(new.key, ()) is new
    assert (len(memory), memory.used_bytes) == (1, new.size_bytes)
    assert memory.apply(purge(PurgeKind.ALL), 10.0) == 1
    assert (len(memory), memory.index, memory._tagged) == (0, {}, {})


def test_purge_tags_are_those_of_the_last_validation():
    memory = Memory(MIB)
    validated = entry(tags=(b"one",))
    memory.store(validated)
    memory.freshen(validated, replace(validated.stored, tags=(b"two",)))
    assert memory.apply(purge(PurgeKind.TAG, b"one"), 10.0) == 0
    assert memory.apply(purge(PurgeKind.TAG, b"two"), 10.0) == 1
    memory.freshen(validated, replace(validated.stored, tags=(b"three",)))  # nobody has it now
    assert memory._tagged == {}


def test_variants_are_selected_and_a_new_vary_replaces_them():
    memory = Memory(MIB)
    vary = (b"accept-language",)
    for language in (b"tr", b"de"):
        memory.store(entry(body=language, vary=vary, variant=language))
    found = memory.find(b"http://a/x", ((b"accept-language", b"tr"),))
    assert found is None or found.slices == [b"tr"]
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
    assert memory.apply(purge(kind, value), 10.0) == touched
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


def test_a_fill_older_than_what_is_remembered_counts_as_purged():
    memory = Memory(MIB)
    for sequence in range(1, PURGES_REMEMBERED + 2):
        memory.apply(purge(PurgeKind.TAG, b"other", sequence=sequence), 10.0)
    assert memory.purged_since(0, b"http://a/x", ())
    assert not memory.purged_since(1, b"http://a/x", ())


def test_url_key():
    assert url_key(b"HTTP://A:80/p?CMCD=x") == b"http://a/p"
    assert url_key(b"/p?q") == b"/p?q"
    assert url_key(b"https://a") == b"https://a/"


def test_an_entry_counts_its_head_and_overhead():
    assert entry(body=b"").size_bytes > OVERHEAD_BYTES


def test_uncacheable_keys_are_remembered_for_a_while_and_are_bounded():
    keys = Uncacheable(2, 120.0)
    for number in range(3):
        keys.remember(b"%d" % number, 0.0)
    assert (b"0", 1.0) not in keys
    assert (b"1", 119.0) in keys
    assert (b"1", 120.0) not in keys
    keys.forget(b"2")
    assert (b"2", 1.0) not in keys
