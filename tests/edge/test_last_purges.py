"""When many keys were last purged: never too early, in the same number of bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.last_purges import LastPurges

NOTED = st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**48)), max_size=40)


@given(NOTED, st.integers(1, 50))
def test_no_key_is_forgotten(noted, slots):
    last = LastPurges(slots)
    for hashed, sequence in noted:
        last.note(hashed, sequence)
    for hashed, sequence in noted:
        sharing = [number for other, number in noted if other % slots == hashed % slots]
        assert last.of(hashed) == max(sharing) >= sequence
    again = LastPurges(slots)
    again.restore(last.to_bytes())
    assert all(again.of(hashed) == last.of(hashed) for hashed, _ in noted)
    assert len(last.to_bytes()) in (0, 8 * slots)


def test_one_flood_leaves_nearly_all_others():
    last = LastPurges()
    for number in range(4096):
        last.note(hash(b"http://a/%d" % number), number + 1)
    others = [hash(b"http://b/%d" % number) for number in range(4096)]
    assert sum(map(bool, map(last.of, others))) < 512


def test_other_slots_are_refused():
    last = LastPurges(8)
    last.note(1, 1)
    with pytest.raises(ValueError, match="slots"):
        LastPurges(16).restore(last.to_bytes())
