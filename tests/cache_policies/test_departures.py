"""Each key's last departure is remembered, until another takes its place."""

from hypothesis import given
from hypothesis import strategies as st

from cache_policies.departures import Departures
from cache_policies.why import Why

KEYS = st.sampled_from([b"a", b"b", b"c", b"d"])
GONE = st.sampled_from([Why.CAPACITY, Why.PURGED])


def test_the_last_departure_of_a_key_is_its_reason():
    departures = Departures()
    assert departures.why(b"a") is Why.COMPULSORY
    departures.note(b"a", Why.CAPACITY)
    assert departures.why(b"a") is Why.CAPACITY
    departures.note(b"a", Why.PURGED)
    assert departures.why(b"a") is Why.PURGED
    assert departures.why(b"b") is Why.COMPULSORY


@given(st.lists(st.tuples(KEYS, GONE)))
def test_no_key_is_given_the_reason_of_another(notes):
    departures = Departures(places=2)
    for key, why in notes:
        departures.note(key, why)
    last = dict(notes)
    for key in (b"a", b"b", b"c", b"d"):
        assert departures.why(key) in {Why.COMPULSORY, last.get(key)}
    if notes:
        assert departures.why(notes[-1][0]) is notes[-1][1]
