"""The tier in a real Valkey: whatever lies there is right, or a miss."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from cache_policies.message import Fields, ResponseHead
from cache_policies.valkey_buckets import BUCKETS
from edge.arena import SLICE_BYTES, Arena
from edge.entry import Entry
from edge.errors import StorageError
from edge.record import SLICED, decode, encode, head_bytes
from edge.sliced import SlicedEntry
from edge.valkey_names import books_of, name_of
from edge.valkey_tier import ValkeyHeld
from tests.support.edges import until
from tests.support.valkey_rig import BODY, KEY, LOG_ID, LOOSE, STRONG, Rig, entry
from tests.support.valkeys import RunningValkey, books_bytes

NAME = name_of(LOG_ID, KEY).text


@pytest.fixture
async def rig(valkey_server: RunningValkey) -> AsyncIterator[Rig]:
    rig = Rig(valkey_server.url)
    yield rig
    await rig.close()


@pytest.mark.parametrize("fields", [STRONG, LOOSE])
@pytest.mark.parametrize("size", [0, 1, 1_000, 300_000, SLICE_BYTES, SLICE_BYTES + 1, len(BODY)])
async def test_what_is_written_is_read(rig: Rig, size: int, fields: Fields) -> None:
    await rig.write(entry(BODY[:size], fields))
    held = await rig.find()
    assert held is not None
    assert (held.length, held.head, held.trusted) == (size, ResponseHead(200, fields), True)
    assert abs(held.times.response_mono - time.monotonic()) < 60
    assert await rig.body() == BODY[:size]
    assert rig.counters.valkey_bytes == size


async def test_another_edge_of_the_region_reads_it(valkey_server: RunningValkey, rig: Rig) -> None:
    await rig.write(entry())
    other = Rig(valkey_server.url)
    assert await other.body() == BODY
    await other.close()


async def test_who_counts_purges_by_another_log_finds_nothing(
    valkey_server: RunningValkey, rig: Rig
) -> None:
    await rig.write(entry(b"ours"))
    other = Rig(valkey_server.url, log_id=b"another8")
    assert await other.body() is None
    await other.write(entry(b"theirs"))
    assert (await rig.body(), await other.body()) == (b"ours", b"theirs")
    await other.close()


async def test_slices_are_found_one_by_one(rig: Rig) -> None:
    await rig.write(entry())
    for number in (3, 1):
        held = await rig.tier.find(KEY, (), number)
        assert held is not None
        assert await held.read(number) == BODY[number * SLICE_BYTES : (number + 1) * SLICE_BYTES]
    assert await rig.tier.find(KEY, (), 4) is None
    small = entry(b"small", key=b"http://edge.test/small")
    await rig.write(small)
    held = await rig.tier.find(small.key, (), 0)
    assert held is not None
    assert await held.read(0) == b"small"
    assert await rig.tier.find(small.key, (), 1) is None


async def test_a_slice_that_has_gone_breaks_off(valkey_server: RunningValkey, rig: Rig) -> None:
    await rig.write(entry())
    valkey_server.ask("DEL", name_of(LOG_ID, KEY, b"", 2).text)
    assert await rig.body() == BODY[: 2 * SLICE_BYTES]
    assert await rig.tier.find(KEY, (), 2) is None
    assert (await rig.tier.find(KEY, (), 3)) is not None


async def test_variants_are_told_apart(rig: Rig) -> None:
    fields = (*STRONG, (b"vary", b"accept-language"))
    turkish, german = ((b"accept-language", b"tr"),), ((b"accept-language", b"de"),)
    await rig.write(entry(b"merhaba", fields, turkish), entry(b"hallo", fields, german))
    assert (await rig.body(turkish), await rig.body(german)) == (b"merhaba", b"hallo")
    assert await rig.body(()) is None
    await rig.write(entry(b"hello"))
    assert await rig.body(turkish) == b"hello"


async def test_slices_of_other_bodies_are_never_mixed(rig: Rig) -> None:
    """Without a strong validator only what came in one response is one body."""
    old = entry(BODY, LOOSE)
    await rig.write(old)
    held = await rig.find()
    assert held is not None
    new = entry(bytes(len(BODY)), LOOSE)
    await rig.write(new)
    with pytest.raises(StorageError):
        await held.read(0)
    assert await rig.body() == bytes(len(BODY))


async def test_slices_from_before_their_head_are_not_read(rig: Rig) -> None:
    await rig.write(entry(sequence=3))
    later = replace(entry(sequence=7).stored)
    await rig.write(SlicedEntry(KEY, later, len(BODY)))
    held = await rig.find()
    assert held is not None
    assert held.purge_sequence == 7
    with pytest.raises(StorageError):
        await held.read(0)
    part = await rig.tier.find(KEY, (), 0)  # judged by its own sequence
    assert part is not None
    assert part.purge_sequence == 3


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "head cut": lambda data: data[:40],
    "head flipped": lambda data: data[:50] + bytes([data[50] ^ 1]) + data[51:],
    "body cut": lambda data: data[: head_bytes(data)],
    "a byte short": lambda data: data[:-1],
    "a byte more": lambda data: data + b"x",
    "zeros": lambda data: bytes(len(data)),
    "something else": lambda data: b"GIF89a" + data[6:],
}


@pytest.mark.parametrize("kind", DAMAGE)
async def test_a_damaged_value_is_a_miss_and_goes(
    valkey_server: RunningValkey, rig: Rig, kind: str
) -> None:
    await rig.write(entry(b"a body"))
    valkey_server.ask("SET", NAME, DAMAGE[kind](valkey_server.ask("GET", NAME)))
    assert await rig.body() is None
    assert rig.counters.valkey_damaged == 1
    await until(lambda: not valkey_server.ask("EXISTS", NAME))


async def test_a_damaged_slice_is_found_out_before_it_is_given(
    valkey_server: RunningValkey, rig: Rig
) -> None:
    await rig.write(entry())
    name = name_of(LOG_ID, KEY, b"", 1).text
    value = bytearray(valkey_server.ask("GET", name))
    value[-5] ^= 0x10
    valkey_server.ask("SET", name, bytes(value))
    assert await rig.body() == BODY[:SLICE_BYTES]
    assert rig.counters.valkey_damaged == 1
    await until(lambda: not valkey_server.ask("EXISTS", name))


async def test_a_value_of_another_kind_is_a_miss(valkey_server: RunningValkey, rig: Rig) -> None:
    valkey_server.ask("RPUSH", NAME, "x")
    assert await rig.body() is None
    assert rig.counters.valkey_failed == 1


async def test_a_value_under_a_name_that_is_not_its_own_is_a_miss(
    valkey_server: RunningValkey, rig: Rig
) -> None:
    other = entry(b"another", key=b"http://edge.test/another")
    await rig.write(other, entry())
    value = valkey_server.ask("GET", name_of(LOG_ID, other.key).text)
    valkey_server.ask("SET", NAME, value)
    assert await rig.body() is None
    valkey_server.ask("SET", name_of(LOG_ID, KEY, b"", 1).text, value)
    assert await rig.tier.find(KEY, (), 1) is None
    head = replace(decode(value), log_id=b"another8")
    valkey_server.ask("SET", name_of(LOG_ID, other.key).text, encode(head) + b"another")
    assert await rig.body(key=other.key) is None


async def test_what_comes_from_the_future_is_not_trusted(
    valkey_server: RunningValkey, rig: Rig
) -> None:
    await rig.write(entry(b"a body"))
    head = decode(valkey_server.ask("GET", NAME))
    for ahead_s, trusted in ((1.0, True), (60.0, False)):
        other = replace(head, boot_id=os.urandom(16), response_wall=head.response_wall + ahead_s)
        valkey_server.ask("SET", NAME, encode(other) + b"a body")
        held = await rig.find()
        assert held is not None
        assert held.trusted is trusted


async def test_another_machines_uptime_counts_for_nothing(
    valkey_server: RunningValkey, rig: Rig
) -> None:
    await rig.write(entry(b"a body"))
    head = decode(valkey_server.ask("GET", NAME))
    away = replace(
        head,
        boot_id=os.urandom(16),
        response_boot=head.response_boot + 1e6,
        response_wall=head.response_wall - 1_000,
    )
    valkey_server.ask("SET", NAME, encode(away) + b"a body")
    held = await rig.find()
    assert held is not None
    assert held.trusted
    assert 999 < time.monotonic() - held.times.response_mono < 1_100


# writing


async def test_small_ones_go_at_once_and_large_ones_when_they_are_asked_for_again(
    valkey_server: RunningValkey, rig: Rig
) -> None:
    small, large = (
        entry(bytes(size), key=b"http://edge.test/%d" % size) for size in (262_144, 262_145)
    )
    for each in (small, large):
        rig.memory.store(each)
        rig.tier.offer(each, after=1, second_hand=False)
        await rig.at_rest()
    assert await rig.body(key=small.key) == bytes(262_144)
    assert await rig.body(key=large.key) is None
    rig.memory.find(large.key, ())
    rig.tier.writer.look()
    await rig.at_rest()
    assert await rig.body(key=large.key) == bytes(262_145)


async def test_what_another_edge_wrote_is_left(valkey_server: RunningValkey, rig: Rig) -> None:
    fields = (*STRONG, (b"vary", b"accept"))
    await rig.write(entry(BODY, fields))
    other = Rig(valkey_server.url)
    await other.write(entry(BODY, fields))
    assert other.counters.valkey_writes == 0
    await other.write(entry(BODY, (*LOOSE, (b"etag", b'"2"'), (b"vary", b"accept"))))
    assert other.counters.valkey_writes == 5  # the head and four slices; the signpost stands
    assert valkey_server.ask("DBSIZE") == 6 + 3 * len(
        {name.split(b":")[2] for name in valkey_server.ask("KEYS", "amaro:1:*:sizes")}
    )
    await other.close()


async def test_it_lasts_as_long_as_it_may_be_of_use(valkey_server: RunningValkey, rig: Rig) -> None:
    fields: Fields = ((b"cache-control", b"max-age=100, stale-if-error=50"),)
    await rig.write(entry(b"a body", fields))
    assert 100_000 < valkey_server.ask("PTTL", NAME) <= 150_000
    bucket = name_of(LOG_ID, KEY).bucket
    ends = float(valkey_server.ask("ZSCORE", books_of(bucket).ends, NAME))
    assert abs(ends - valkey_server.ask("PEXPIRETIME", NAME)) < 1_000


async def test_one_that_stands_lasts_longer_when_it_is_offered_again(
    valkey_server: RunningValkey, rig: Rig
) -> None:
    short: Fields = ((b"cache-control", b"max-age=100"), (b"etag", b'"1"'))
    await rig.write(entry(b"a body", short))
    await rig.write(entry(b"a body", STRONG))
    assert rig.counters.valkey_writes == 1
    assert valkey_server.ask("PTTL", NAME) > 5_000_000
    await rig.write(entry(b"a body", short))
    assert valkey_server.ask("PTTL", NAME) > 5_000_000


async def test_buckets_keep_their_budget_and_what_is_used_stays(
    valkey_server: RunningValkey,
) -> None:
    rig = Rig(valkey_server.url, redis_bytes=BUCKETS * 20_000)  # 20 000 bytes each
    entries = [entry(os.urandom(1_500), key=b"http://edge.test/%d" % n) for n in range(1_000)]
    kept = entries[0]
    bucket = name_of(LOG_ID, kept.key).bucket
    alike = [each for each in entries if name_of(LOG_ID, each.key).bucket == bucket]
    for each in alike:
        await rig.write(each)
        assert await rig.body(key=kept.key) is not None
        rig.tier._note_uses()  # now, instead of within a second
        await rig.at_rest()
    assert len(alike) > 10
    total, listed = books_bytes(valkey_server)
    assert total == listed <= 20_000
    values = sum(valkey_server.ask("STRLEN", name) for name in valkey_server.names())
    assert 10_000 < values < total
    assert len(valkey_server.names()) < len(alike)
    await rig.close()


async def test_what_has_no_place_is_not_kept(valkey_server: RunningValkey) -> None:
    rig = Rig(valkey_server.url, redis_bytes=BUCKETS * 20_000)
    await rig.write(entry(bytes(40_000)))
    assert rig.counters.valkey_writes_skipped > 0
    assert rig.counters.valkey_writes == 0
    await rig.close()


async def test_books_forget_what_expired(valkey_server: RunningValkey, rig: Rig) -> None:
    bucket = name_of(LOG_ID, KEY).bucket
    await rig.write(entry(b"a body"))
    valkey_server.ask("PEXPIRE", NAME, 1)
    valkey_server.ask("ZADD", books_of(bucket).ends, 1, NAME)  # as its time to live has it
    await until(lambda: not valkey_server.ask("EXISTS", NAME))
    other = next(
        b"http://edge.test/%d" % n
        for n in range(10_000)
        if name_of(LOG_ID, b"http://edge.test/%d" % n).bucket == bucket
    )
    await rig.write(entry(b"another", key=other))
    total, listed = books_bytes(valkey_server)
    assert total == listed
    assert valkey_server.ask("ZCARD", books_of(bucket).uses) == 1


@pytest.mark.parametrize("book", range(3))
async def test_books_that_the_server_evicted_begin_anew(
    valkey_server: RunningValkey, rig: Rig, book: int
) -> None:
    await rig.write(entry(b"a body"))
    valkey_server.ask("DEL", books_of(name_of(LOG_ID, KEY).bucket)[book])
    await rig.write(entry(b"another", (*LOOSE, (b"etag", b'"2"'))))
    assert await rig.body() == b"another"
    total, listed = books_bytes(valkey_server)
    assert total == listed > 0


async def test_slices_that_come_are_written(valkey_server: RunningValkey, rig: Rig) -> None:
    sliced = SlicedEntry(KEY, entry().stored, len(BODY))
    rig.memory.store(sliced)
    for _ in range(2):
        rig.tier.offer(sliced, after=2, second_hand=False)
    for number in (0, 3):
        data = BODY[number * SLICE_BYTES : (number + 1) * SLICE_BYTES]
        rig.tier.offer_slice(sliced, number, data, second_hand=False)
    await rig.at_rest()
    assert sliced.below == {"valkey": {SLICED, 0, 3}}
    held = await rig.find()
    assert held is not None
    assert (held.is_sliced, held.length) == (True, len(BODY))
    part = await rig.tier.find(KEY, (), 3)
    assert part is not None
    assert await part.read(3) == b"the rest"
    assert await rig.tier.find(KEY, (), 1) is None


async def test_waits_are_bounded(valkey_server: RunningValkey) -> None:
    rig = Rig(valkey_server.url, redis_waits_max=4)
    await rig.write(entry(b"a body"))
    bodies = await asyncio.gather(*(rig.find() for _ in range(20)))
    assert sum(held is not None for held in bodies) == 4
    assert rig.counters.valkey_skipped == 16
    await rig.close()


async def test_what_was_found_counts_until_it_is_let_go(rig: Rig) -> None:
    """It may wait for the origin to validate it."""
    await rig.write(entry(bytes(100_000)))
    for let_go in (ValkeyHeld.close, ValkeyHeld.drop):
        held = await rig.find()
        assert held is not None
        assert 100_000 < rig.memory.fill_bytes < 101_000
        assert await held.read(0) == bytes(100_000)
        let_go(held)
        held.close()
        assert rig.memory.fill_bytes == 0


async def test_a_crowd_of_drops_is_no_failure(valkey_server: RunningValkey) -> None:
    """As after a purge of much that is asked for: what is not dropped now is when it is found."""
    rig = Rig(valkey_server.url, redis_waits_max=16)
    await rig.write(entry(b"a body"))
    for held in [await rig.find() for _ in range(60)]:
        assert held is not None
        held.drop()
    await rig.at_rest()
    assert dict(rig.tier.told()) == {f"valkey_up {valkey_server.place}": 1.0}
    assert await rig.find() is None
    await rig.close()


async def test_a_slice_that_lies_in_the_arena_is_written(rig: Rig) -> None:
    arena = Arena(4 * SLICE_BYTES)
    data = os.urandom(SLICE_BYTES)
    slot = arena.keep(data)
    assert slot is not None
    each = entry(data)
    await rig.write(Entry(KEY, each.stored, [slot]))
    assert await rig.body() == data


async def test_memory_that_is_short_is_not_filled(rig: Rig) -> None:
    await rig.write(entry(b"a body"))
    budget = rig.memory.budget_bytes
    rig.memory.reserve(budget)
    assert await rig.body() is None
    assert rig.counters.valkey_skipped == 1
    rig.memory.release(budget)
    assert await rig.body() == b"a body"
    assert rig.memory.fill_bytes == 0
