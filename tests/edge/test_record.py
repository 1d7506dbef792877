"""Records as bytes: what is written is what is read, and nothing else ever passes for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.arena import SLICE_BYTES
from edge.record import (
    SLICED,
    START_BYTES,
    WHOLE,
    DamagedError,
    RecordHead,
    decode,
    encode,
    head_bytes,
    slice_range,
    slices_of,
    verify,
)

NAMES = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12).map(str.encode)
LENGTHS = st.integers(0, 5 * SLICE_BYTES)


@st.composite
def heads(draw: st.DrawFn) -> RecordHead:
    length = draw(LENGTHS)
    part = draw(st.sampled_from([WHOLE, SLICED, *range(slices_of(length))]))
    count = {WHOLE: slices_of(length), SLICED: 0}.get(part, 1)
    numbers = st.integers(0, 2**32 - 1)
    return RecordHead(
        key=draw(st.binary(max_size=200)),
        vary=tuple(sorted(draw(st.sets(NAMES, max_size=3)))),
        variant=draw(st.binary(max_size=40)),
        tags=tuple(draw(st.lists(NAMES, max_size=3))),
        status=draw(st.integers(0, 999)),
        fields=tuple(draw(st.lists(st.tuples(NAMES, st.binary(max_size=30)), max_size=5))),
        response_wall=draw(st.floats(0, 1e11)),
        response_delay_s=draw(st.floats(0, 1e3)),
        boot_id=draw(st.binary(min_size=16, max_size=16)),
        response_boot=draw(st.floats(0, 1e9)),
        log_id=draw(st.binary(min_size=8, max_size=8)),
        purge_sequence=draw(st.integers(0, 2**64 - 1)),
        length=length,
        part=part,
        checksums=tuple(draw(st.lists(numbers, min_size=count, max_size=count))),
    )


HEAD = RecordHead(
    key=b"http://a/b",
    vary=(b"accept",),
    variant=b"x",
    tags=(b"news", b"film"),
    status=200,
    fields=((b"etag", b'"1"'), (b"vary", b"accept")),
    response_wall=1e9,
    response_delay_s=0.5,
    boot_id=b"b" * 16,
    response_boot=7.0,
    log_id=b"l" * 8,
    purge_sequence=9,
    length=5,
    checksums=(0x3610A686,),  # of b"hello"
)


@given(heads(), st.binary(max_size=50))
def test_a_head_is_read_as_it_was_written(head, body):
    data = encode(head)
    assert decode(data + body) == head
    assert head_bytes(data) == len(data)


@given(st.integers(0, len(encode(HEAD)) - 1))
def test_no_cut_passes(size):
    with pytest.raises(DamagedError):
        decode(encode(HEAD)[:size])


def test_no_flipped_bit_passes():
    data = encode(HEAD)
    for at in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[at // 8] ^= 1 << at % 8
        with pytest.raises(DamagedError):
            decode(bytes(damaged))


@given(st.binary(max_size=300))
def test_no_bytes_break_it(data):
    for text in (data, encode(HEAD)[:START_BYTES] + data):
        with pytest.raises(DamagedError):
            decode(text)


@given(LENGTHS)
def test_slices_are_the_whole_body(length):
    ranges = [slice_range(number, length) for number in range(slices_of(length))]
    assert sum(size for _, size in ranges) == length
    assert [start for start, _ in ranges] == [number * SLICE_BYTES for number in range(len(ranges))]
    assert all(0 < size <= SLICE_BYTES for _, size in ranges)


@pytest.mark.parametrize("data", [b"hell", b"hello!", b"hallo", b""])
def test_another_slice_does_not_pass(data):
    verify(HEAD, 0, b"hello")
    with pytest.raises(DamagedError):
        verify(HEAD, 0, data)
