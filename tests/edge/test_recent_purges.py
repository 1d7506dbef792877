"""What a running fill may have been too early for: nothing that touches it is ever missed."""

from hypothesis import given
from hypothesis import strategies as st

from edge.last_purges import SLOTS
from edge.purge_names import touches
from edge.purges import Purge, PurgeKind
from edge.recent_purges import REMEMBERED, RecentPurges
from tests.edge.test_purged import KEYS, NAMED, TAGS, purges

SHARING = len({hash(key) % SLOTS for key in KEYS}) < len(KEYS)  # once in some thousand runs


@given(
    st.lists(st.tuples(NAMED, st.booleans()), max_size=12),
    st.integers(0, 13),
    st.sampled_from(KEYS),
    TAGS,
    st.booleans(),
)
def test_it_judges_as_the_whole_list_would(said, sequence, key, tags, hard):
    recent, all_of_them = RecentPurges(), purges(said)
    for purge in all_of_them:
        recent.note(purge)
    naming = [
        purge
        for purge in all_of_them
        if purge.sequence > sequence and touches(purge, key, tags) and not (hard and purge.soft)
    ]
    found = recent.any_since(sequence, key, tags, hard=hard)
    assert found is bool(naming) or (found and SHARING)


def test_only_those_who_asked_after_it_are_touched():
    recent = RecentPurges()
    recent.note(Purge(sequence=5, kind=PurgeKind.URL, value=b"http://a/x"))
    recent.note(Purge(sequence=6, kind=PurgeKind.TAG, value=b"t"))
    assert not recent.any_since(4, b"http://a/x", (b"t",), until=4)
    assert recent.any_since(4, b"http://a/x", (), until=5)
    assert not recent.any_since(5, b"http://a/y", (b"t",), until=5)
    assert recent.any_since(5, b"http://a/y", (b"t",), until=6)


def test_a_flood_of_unsafe_requests_makes_no_other_fill_too_old():
    recent = RecentPurges()
    for number in range(2 * REMEMBERED):
        value = b"http://a/posted/%d" % number
        recent.note(Purge(sequence=number + 1, kind=PurgeKind.URL, value=value))
    untouched = [
        not recent.any_since(0, b"http://a/film/%d" % number, (b"t",)) for number in range(200)
    ]
    assert sum(untouched) > 150  # but those that share a slot with one
    assert all(recent.any_since(0, b"http://a/posted/%d" % n, ()) for n in range(2 * REMEMBERED))


def test_what_is_older_than_all_that_is_remembered_counts_as_purged():
    recent = RecentPurges()
    for sequence in range(1, REMEMBERED + 2):
        recent.note(Purge(sequence=sequence, kind=PurgeKind.TAG, value=b"other"))
    assert recent.any_since(0, b"http://a/x", ())
    assert not recent.any_since(1, b"http://a/x", ())
