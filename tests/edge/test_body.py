"""A growing body reads at any offset as what was appended."""

from hypothesis import given
from hypothesis import strategies as st

from edge.arena import SLICE_BYTES
from edge.body import GrowingBody

SIZES = st.lists(
    st.one_of(st.integers(1, 40), st.integers(1, 40_000), st.integers(1, 3 * SLICE_BYTES)),
    max_size=12,
)
SOURCE = bytes(range(251)) * 160_000  # 40 MB, so that no two slices are alike


def grown(sizes: list[int]) -> tuple[GrowingBody, bytes]:
    body, at = GrowingBody(), 0
    for size in sizes:
        piece = SOURCE[at : at + size]
        body.append(piece)
        at += len(piece)
    return body, SOURCE[:at]


@given(SIZES)
def test_slices_are_whole_and_join_to_what_was_appended(sizes):
    body, whole = grown(sizes)
    slices = body.slices()
    assert b"".join(slices) == whole
    assert all(len(each) == SLICE_BYTES for each in slices[:-1])
    assert all(slices)
    assert body.size == len(whole)


@given(SIZES, st.randoms())
def test_any_offset_reads_on_to_the_end(sizes, draw):
    body, whole = grown(sizes)
    offset = start = draw.randrange(len(whole) + 1)
    got = []
    while piece := body.read(offset):
        got.append(bytes(piece))
        offset += len(piece)
    assert b"".join(got) == whole[start:]


@given(SIZES, SIZES, st.randoms())
def test_a_window_holds_what_is_not_read_yet(sizes, later, draw):
    body, whole = grown(sizes)
    offset = draw.randrange(len(whole) + 1)
    freed = sum(map(len, body.drop_before(offset)))
    assert freed == body.dropped_bytes <= offset
    for size in later:
        whole = SOURCE[: len(whole) + size]
        body.append(whole[body.size :])
        while piece := body.read(offset):
            assert bytes(piece) == whole[offset : offset + len(piece)]
            offset += len(piece)
            freed += sum(map(len, body.drop_before(offset)))
            assert freed == body.dropped_bytes <= offset
        assert offset == body.size == body.dropped_bytes == len(whole)


def test_a_piece_that_is_a_slice_is_no_second_object() -> None:
    body = GrowingBody()
    piece = bytes(SLICE_BYTES)
    assert body.append(piece) == []
    assert body.slices()[0] is piece
    longer = bytes(SLICE_BYTES + 1)
    assert body.append(longer) == [longer]  # whoever reads it holds it beside the slice
