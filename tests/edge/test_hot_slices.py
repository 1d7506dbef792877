"""Which slices are moved to an arena, and which never."""

import pytest

from edge import hot_slices
from edge.arena import SLICE_BYTES, Slot
from edge.hot_slices import HotSlices
from edge.sliced import SlicedEntry
from tests.edge.test_memory import entry

BODY = bytes(range(256)) * (SLICE_BYTES // 256)


def held(_):
    return True


@pytest.fixture
def hot():
    return HotSlices(8 * SLICE_BYTES)


def test_a_slice_that_was_taken_is_moved_once(hot):
    stored = entry(body=BODY)
    hot.taken = stored, 0
    assert hot.step(held) == [BODY]
    assert isinstance(stored.slices[0], Slot)
    assert b"".join(stored.pieces(0, stored.length - 1)) == BODY
    hot.taken = stored, 0
    assert hot.step(held) == hot.step(held) == []


def test_what_is_gone_short_or_not_there_stays(hot):
    gone, short = entry(body=BODY), entry(body=BODY[:-1])
    hot.taken = gone, 0
    assert hot.step(lambda _: False) == []
    hot.taken = short, 0
    assert hot.step(held) == []
    sliced = SlicedEntry(b"k", gone.stored, 3 * SLICE_BYTES)
    hot.taken = sliced, 1
    assert hot.step(held) == []


def test_a_slice_of_a_sliced_entry_is_moved(hot):
    sliced = SlicedEntry(b"k", entry().stored, 3 * SLICE_BYTES)
    sliced.add(1, BODY, 1 << 30)
    hot.taken = sliced, 1
    assert hot.step(held) == [BODY]
    assert isinstance(sliced.slice(1), Slot)
    assert b"".join(sliced.pieces(SLICE_BYTES + 3, SLICE_BYTES + 9)) == BODY[3:10]


def test_where_there_can_be_no_arena_slices_stay(hot, monkeypatch):
    def refused(_):
        raise OSError(38, "not implemented")

    monkeypatch.setattr(hot_slices, "Arena", refused)
    stored = entry(body=BODY)
    hot.taken = stored, 0
    assert hot.step(held) == []
    monkeypatch.undo()
    hot.taken = stored, 0
    assert hot.step(held) == []  # it is not tried again
    assert stored.slices[0] is BODY
