"""The sums of what was used and what was not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.prewarmed import (
    EVICTED,
    SOON_S,
    TRACKED_MAX,
    UNUSED,
    UNUSED_MAX_S,
    USED,
    Ledger,
    Prewarmed,
)
from edge.prewarmed import precision as share


def test_what_becomes_of_objects():
    ledger = Ledger()
    for number, key in enumerate("abcd"):
        ledger.add(key, Prewarmed("next", 10**number, 0.0), is_used=key == "d")
    stored = {"a": 2, "b": 0}
    assert list(ledger.look(stored.get, 1.0, 10)) == [("a", True)]
    assert ("b" in ledger, "c" in ledger, len(ledger), ledger.waiting_bytes) == (True, False, 1, 10)
    assert ledger.bytes == {("next", USED): 1001, ("next", EVICTED): 100}
    assert list(ledger.look(stored.get, SOON_S, 10)) == [("b", False)]
    assert (ledger.waiting_bytes, ledger.spent_bytes) == (10, 0)  # it is like all else by now
    assert list(ledger.look(stored.get, UNUSED_MAX_S, 10)) == []
    assert ledger.objects["next", UNUSED] == 1
    assert (len(ledger), ledger.waiting_bytes) == (0, 0)


def test_what_is_expected_some_time_has_its_place_for_longer():
    ledger = Ledger()
    ledger.add("a", Prewarmed("hour", 10, 0.0), is_used=False)
    ledger.add("b", Prewarmed("warm", 20, 0.0), is_used=False)
    assert list(ledger.look(dict.fromkeys("ab", 0).get, SOON_S, 10)) == []
    assert (ledger.waiting_bytes, ledger.spent_bytes) == (30, 10)


def test_an_object_that_is_stored_anew():
    ledger = Ledger()
    ledger.add("a", Prewarmed("next", 5, 0.0), is_used=False)
    ledger.add("a", Prewarmed("cmcd", 7, 0.0), is_used=False)
    assert (ledger.waiting_bytes, ledger.bytes["next", EVICTED]) == (7, 5)


def test_some_are_looked_at_at_a_time():
    ledger = Ledger()
    for number in range(10):
        ledger.add(str(number), Prewarmed("next", 1, 0.0), is_used=False)
    looked = []

    def hits(key):
        looked.append(key)
        return 0

    for _ in range(3):
        assert list(ledger.look(hits, 0.0, 4)) == []
    assert looked == [*"0123", *"4567", *"8901"]


def test_no_more_than_can_be_tracked():
    ledger = Ledger()
    for number in range(TRACKED_MAX):
        assert not ledger.is_full
        ledger.add(str(number), Prewarmed("next", 1, 0.0), is_used=False)
    assert ledger.is_full


def test_shares():
    assert share(0.0, 0.0) == 1.0
    assert share(3.0, 1.0) == pytest.approx(0.75)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 99), st.booleans())))
def test_every_byte_is_somewhere(steps):
    ledger, fetched, stored = Ledger(), 0, {}
    for number, (key, size, is_used) in enumerate(steps):
        ledger.add(key, Prewarmed("next", size, number), is_used=is_used)
        fetched += size
        stored[key] = stored.get(key, 0) + (number % 3 == 0)
        if number % 5 == 0:
            stored.pop(key)
        list(ledger.look(stored.get, number, 2))
        assert ledger.waiting_bytes + sum(ledger.bytes.values()) == fetched
        assert 0 <= ledger.spent_bytes <= ledger.waiting_bytes
        assert len(ledger) + sum(ledger.objects.values()) == number + 1
