"""The shared page: whatever a reader sees half of, it applies every purge or drops everything."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.purges import DETACHED, VALUE_MAX_BYTES, Purge, PurgeFollower, PurgeKind, PurgePage

RING = VALUE_MAX_BYTES

kinds = st.sampled_from(PurgeKind)
sizes = st.integers(0, 40) | st.sampled_from([1_000, RING // 2, RING - 1, RING])
Spec = tuple[PurgeKind, int, int, bool]  # kind, size, the byte it is made of, soft
specs = st.tuples(kinds, sizes, st.integers(0, 255), st.booleans())


def publish(page: PurgePage, spec: Spec) -> Purge:
    kind, size, fill, soft = spec
    value = bytes([fill]) * size
    sequence = page.publish(kind, value, soft=soft)
    return Purge(sequence=sequence, kind=kind, value=value, soft=soft)


@contextmanager
def pages(*, workers: int = 1, sequence: int = 0, records: int = 8) -> Iterator[list[PurgePage]]:
    """Give the writer's page and a reader's mapping of it, as two processes would have."""
    writer = PurgePage.create(workers=workers, sequence=sequence, records=records, ring_bytes=RING)
    reader = PurgePage.open(os.dup(writer.fd))
    try:
        yield [writer, reader]
    finally:
        reader.close()
        writer.close()


def is_dropping_all(seen: list[Purge], epoch: int) -> bool:
    return seen == [Purge(sequence=epoch, kind=PurgeKind.ALL)]


@given(rounds=st.lists(st.lists(specs, max_size=12), max_size=6), first=st.integers(0, 2**40))
@example(rounds=[[(PurgeKind.URL, size, 0, False) for size in (0, 2, RING - 1)]], first=0)
def test_a_reader_gets_what_was_published_or_drops_everything(
    rounds: list[list[Spec]], first: int
) -> None:
    with pages(sequence=first) as (writer, reader):
        applied = first
        for batch in rounds:
            published = [publish(writer, spec) for spec in batch]
            seen = reader.since(applied)
            in_reach = len(batch) <= 8 and sum(size for _, size, _, _ in batch) <= RING
            dropped = not in_reach and is_dropping_all(seen, writer.epoch())
            assert seen == published or dropped  # what is overwritten by its like is still there
            applied += len(batch)
            assert reader.epoch() == applied


@settings(max_examples=60)
@given(batch=st.lists(specs, min_size=1, max_size=20), seed=st.integers(0, 2**32))
def test_stores_may_become_visible_in_any_order(batch: list[Spec], seed: int) -> None:
    """Carry the words that a publication changed over to another page, shuffled, and look."""
    chance = random.Random(seed)
    with pages() as (writer, _), pages() as (target, reader):
        applied, published = 0, {}
        for spec in batch:
            before = bytes(writer._map)
            purge = publish(writer, spec)
            published[purge.sequence] = purge
            after = bytes(writer._map)
            words = [
                at for at in range(0, len(after), 8) if after[at : at + 8] != before[at : at + 8]
            ]
            chance.shuffle(words)
            looks = set(chance.sample(range(len(words)), min(6, len(words)))) | {len(words) - 1}
            for turn, at in enumerate(words):
                target._map[at : at + 8] = after[at : at + 8]
                if turn not in looks:
                    continue
                seen = reader.since(applied)
                epoch = reader.epoch()
                expected = [published[number] for number in range(applied + 1, epoch + 1)]
                assert seen == expected or is_dropping_all(seen, epoch)
                if chance.random() < 0.5:
                    applied = epoch


def test_a_follower_begins_at_the_present_and_applies_in_order() -> None:
    with pages(workers=2, sequence=41) as (writer, reader):
        assert writer.behind(10**9) == []  # nobody is there, nobody is waited for
        seen: list[Purge] = []
        follower = PurgeFollower(reader, 1, seen.append)
        assert (follower.applied, writer.applied(0), writer.applied(1)) == (41, DETACHED, 41)

        writer.publish(PurgeKind.TAG, b"asset-1")
        last = writer.publish(PurgeKind.URL, b"/v/1", soft=True)
        assert follower.epoch_word[0] != follower.word
        assert writer.behind(last) == [1]
        assert follower.catch_up() == last
        assert [purge.value for purge in seen] == [b"asset-1", b"/v/1"]
        assert writer.behind(last) == []

        follower.detach()
        assert writer.applied(1) == DETACHED


def test_a_purge_published_while_another_is_applied_is_applied_too() -> None:
    with pages() as (writer, reader):
        seen: list[bytes] = []

        def apply(purge: Purge) -> None:
            seen.append(purge.value)
            if purge.value == b"first":
                writer.publish(PurgeKind.TAG, b"second")

        follower = PurgeFollower(reader, 0, apply)
        writer.publish(PurgeKind.TAG, b"first")
        assert follower.catch_up() == 2
        assert seen == [b"first", b"second"]
        follower.detach()


def test_a_switch_of_policies_turns_the_word_that_purges_turn() -> None:
    with pages(workers=2, sequence=7) as (writer, reader):
        seen: list[int] = []
        follower = PurgeFollower(reader, 1, lambda _: None, seen.append)
        assert writer.unswitched() == []
        writer.switch(0xABC)
        assert follower.epoch_word[0] != follower.word
        assert writer.unswitched() == [1]
        assert (writer.epoch(), writer.behind(7)) == (7, [])  # it is no purge
        writer.publish(PurgeKind.TAG, b"a")
        assert follower.catch_up() == 8
        assert seen == [0xABC]
        assert (writer.unswitched(), writer.applied(1)) == ([], 8)
        for epoch in (1, 2, 3):
            writer.switch(epoch)
        assert follower.catch_up() == 8
        assert seen == [0xABC, 3]
        follower.detach()


def test_limits_are_said() -> None:
    with pages() as (writer, _):
        with pytest.raises(ValueError, match="at most"):
            writer.publish(PurgeKind.TAG, b"x" * (VALUE_MAX_BYTES + 1))
        with pytest.raises(IndexError):
            writer.acknowledge(1, 0)
    with pytest.raises(ValueError, match="ring_bytes"):
        PurgePage.create(workers=1, ring_bytes=8)


def test_a_foreign_descriptor_is_refused() -> None:
    fd = os.memfd_create("not-a-page")
    os.ftruncate(fd, 4096)
    with pytest.raises(ValueError, match="not a purge page"):
        PurgePage.open(fd)
    os.close(fd)
