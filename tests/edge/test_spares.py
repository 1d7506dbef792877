"""Slices are written over only when nobody has them any more."""

import random

from edge.arena import SLICE_BYTES
from edge.spares import SPARES_MAX, Spares

BUDGET = 1 << 30


def written(spares: Spares, filler: bytes) -> bytes:
    place = spares.place()
    with place.getbuffer() as room:
        room[:] = filler * SLICE_BYTES
    return place.getvalue()


def test_memory_is_used_again():
    spares = Spares(BUDGET)
    first = written(spares, b"1")
    where = id(first)
    spares.give(first)
    del first
    second = written(spares, b"2")
    assert id(second) == where
    assert second == b"2" * SLICE_BYTES


def test_what_somebody_has_is_never_changed():
    spares = Spares(BUDGET)
    data = written(spares, b"1")
    view = memoryview(data)[10:20]
    spares.give(data)
    del data
    other = written(spares, b"2")
    assert bytes(view) == b"1" * 10
    assert other == b"2" * SLICE_BYTES
    spares.give(other)
    spares.give(other)  # twice
    del other
    place = spares.place()
    third = written(spares, b"3")
    assert place.getvalue() == b"2" * SLICE_BYTES
    assert third == b"3" * SLICE_BYTES


def test_joined_is_what_was_given():
    chance, spares = random.Random(7), Spares(BUDGET)
    held = []
    for _ in range(40):
        ends = sorted(chance.sample(range(1, SLICE_BYTES), chance.randrange(5)))
        pieces = [
            chance.randbytes(end - begin)
            for begin, end in zip([0, *ends], [*ends, SLICE_BYTES], strict=True)
        ]
        joined = spares.join(pieces)
        held.append((joined, b"".join(pieces)))
        for known, expected in held:
            assert known == expected
        while len(held) > chance.randrange(1, 6):
            spares.give(held.pop(chance.randrange(len(held)))[0])


def test_few_full_slices_are_kept():
    spares = Spares(BUDGET)
    for _ in range(2 * SPARES_MAX):
        spares.give(bytes(SLICE_BYTES))
    spares.give(b"short")
    assert len(spares._free) == SPARES_MAX
    small = Spares(SLICE_BYTES)
    small.give(bytes(SLICE_BYTES))
    assert not small._free
