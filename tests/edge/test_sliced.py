"""A sliced entry: what it has, what it lets go of, and what it becomes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_policies.partial import Part
from edge.arena import SLICE_BYTES
from edge.sliced import SlicedEntry, begins_slice, slice_field
from tests.support.responses import stored

LENGTH = 3 * SLICE_BYTES + 5
BODY = bytes(range(256)) * (LENGTH // 256 + 1)


def entry() -> SlicedEntry:
    return SlicedEntry(b"http://h/film", stored('etag: "a" | cache-control: max-age=60'), LENGTH)


def add(to: SlicedEntry, *numbers: int, bytes_max: int = 1 << 30) -> None:
    for number in numbers:
        first, last = to.span(number)
        to.add(number, BODY[first : last + 1], bytes_max)


def test_it_is_never_taken_for_the_whole() -> None:
    part = entry()
    add(part, 0, 1, 2)
    assert part.fresh_until == 0.0
    assert part.part_until > 0.0
    assert not part.is_complete
    assert part.etag == b'"a"'


@given(
    there=st.sets(st.integers(0, 3)),
    first=st.integers(0, LENGTH - 1),
    size=st.integers(1, LENGTH),
)
def test_bytes_are_there_or_are_not(there: set[int], first: int, size: int) -> None:
    part = entry()
    add(part, *there)
    last = min(first + size, LENGTH) - 1
    needed = set(range(first // SLICE_BYTES, last // SLICE_BYTES + 1))
    assert part.has(first, last) == (needed <= there)
    if needed <= there:
        assert b"".join(part.pieces(first, last)) == BODY[first : last + 1]


def test_size_follows_what_is_there() -> None:
    part = entry()
    empty = part.size_bytes
    add(part, 3, 1)
    assert part.size_bytes == empty + SLICE_BYTES + 5
    add(part, 2, bytes_max=2 * SLICE_BYTES)
    assert list(part.parts) == [1, 2]  # the oldest is gone
    assert part.size_bytes == empty + 2 * SLICE_BYTES


def test_what_other_policies_must_judge_first_is_no_hit_when_it_is_whole() -> None:
    part = entry()
    add(part, 0, 1, 2)
    part.outdate()
    add(part, 3)
    whole = part.become_whole()
    assert whole.is_outdated
    assert whole.fresh_until < 0.0


def test_it_becomes_whole_and_its_readers_read_on() -> None:
    part = entry()
    add(part, 2, 0, 3, 1)
    part.mark = 7
    assert part.is_complete
    whole = part.become_whole()
    assert b"".join(whole.slices) == BODY[:LENGTH]
    assert (whole.mark, whole.length, whole.fresh_until) == (7, LENGTH, part.part_until)
    assert part.parts == {}
    assert part.slice(3) is whole.slices[3]


def test_another_head_has_the_same_slices() -> None:
    part = entry()
    twin = part.twin(stored('etag: "a" | cache-control: max-age=90'))
    add(part, 1)
    assert twin.slice(1) is part.slice(1)


@pytest.mark.parametrize(
    ("part", "number", "begins"),
    [
        (Part(0, SLICE_BYTES - 1, LENGTH), 0, True),
        (Part(3 * SLICE_BYTES, LENGTH - 1, LENGTH), 3, True),
        (Part(0, 4, 5), 0, True),
        (Part(0, SLICE_BYTES - 2, LENGTH), 0, False),
        (Part(1, SLICE_BYTES, LENGTH), 0, False),
        (Part(SLICE_BYTES, 2 * SLICE_BYTES - 1, LENGTH), 0, False),
    ],
)
def test_only_the_slice_that_was_asked_for_begins_it(part: Part, number: int, begins: bool) -> None:
    assert begins_slice(part, number) is begins


def test_a_slice_is_asked_for_by_its_bytes() -> None:
    assert slice_field(2) == (b"range", b"bytes=2097152-3145727")
